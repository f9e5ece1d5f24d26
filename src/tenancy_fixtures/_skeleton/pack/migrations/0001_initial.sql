-- The first revision: what the first tenants are made of. Once a tenant has it, it is never edited: a change is a script of its
-- own, 0002_what_it_does.sql, and is made in schema_template.sql too.

CREATE TABLE projects (
    project_id uuid NOT NULL DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    started_on date NOT NULL,
    CONSTRAINT projects_pkey PRIMARY KEY (project_id),
    CONSTRAINT projects_name_key UNIQUE (name)
);

CREATE TABLE tasks (
    task_id    uuid     NOT NULL DEFAULT gen_random_uuid(),
    project_id uuid     NOT NULL,
    title      text     NOT NULL,
    state      text     NOT NULL DEFAULT 'open',
    priority   smallint,
    due_on     date,
    CONSTRAINT tasks_pkey PRIMARY KEY (task_id),
    CONSTRAINT tasks_title_key UNIQUE (project_id, title),
    CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects ON DELETE CASCADE,
    CONSTRAINT tasks_state_check CHECK (state IN ('open', 'done'))
);
CREATE INDEX tasks_due_on_idx ON tasks (due_on);
