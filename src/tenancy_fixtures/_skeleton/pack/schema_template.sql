-- The tables of a new tenant, as they are today. Existing tenants come to the same by the scripts in migrations/, one after
-- the other; `tenancy pack check` compares both ways.
--
-- Names stand without a schema: each tenant has one of its own, and the script runs inside it.

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
