-- What is wrong with an installation: one block a fault, named as it is reported. Each gives the objects that have it and what
-- mends them; none gives anything where all is well. They read the catalogue and the registry alone, and change nothing.
-- Roles come in as %(known)s, the names of the installation's own, and one by one by their purpose (null where there are none).

-- name: login_is_superuser
SELECT format('login %%I', rolname) AS object, 'CREATE ROLE … LOGIN NOINHERIT, run `tenancy init --grant-to` with its name, and use it in TENANCY_DATABASE_URL.' AS fix
FROM pg_roles WHERE rolname = session_user AND rolsuper

-- name: login_bypasses_rls
SELECT format('login %%I', rolname) AS object, format('ALTER ROLE %%I NOBYPASSRLS;', rolname) AS fix
FROM pg_roles WHERE rolname = session_user AND rolbypassrls AND NOT rolsuper

-- name: login_inherits
SELECT format('login %%I has the rights of %%I', l.rolname, r.rolname) AS object,
    CASE WHEN l.rolinherit THEN format('ALTER ROLE %%I NOINHERIT;', l.rolname) ELSE '' END
        || CASE WHEN current_setting('server_version_num')::int >= 160000 THEN format(' GRANT %%I TO %%I WITH INHERIT FALSE;', r.rolname, l.rolname) ELSE '' END AS fix
FROM pg_roles l JOIN pg_auth_members m ON m.member = l.oid JOIN pg_roles r ON r.oid = m.roleid
WHERE r.rolname = ANY (%(known)s::text[]) AND l.rolcanlogin AND NOT l.rolsuper AND pg_has_role(l.oid, r.oid, 'USAGE')
  -- A tenant's own login has what all tenants have: it is for nobody else.
  AND NOT (l.rolname ~ '^tenancy_t_[0-9a-f]{32}$' AND r.oid = to_regrole(%(tenants)s::text))
ORDER BY 1

-- name: login_may_do_all
-- A service that init has let in has all three. One of the application's has only its own.
SELECT format('login %%I', l.rolname) AS object, format('REVOKE %%I, %%I FROM %%I;', %(migrator)s::text, %(loader)s::text, l.rolname) AS fix
FROM pg_roles l CROSS JOIN LATERAL (
    SELECT bool_or(r.rolname = %(app)s::text) AS app, bool_or(r.rolname = %(migrator)s::text) AS migrator, bool_or(r.rolname = %(loader)s::text) AS loader
    FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = l.oid
) AS has
WHERE %(separate)s AND l.rolcanlogin AND NOT l.rolsuper AND l.rolname <> ALL (%(known)s::text[]) AND l.rolname <> session_user
  AND has.app AND (has.migrator OR has.loader) AND NOT (has.migrator AND has.loader)
ORDER BY 1

-- name: role_missing
SELECT format('role %%I', k.name) AS object, 'Run `tenancy init` as an administrator.' AS fix
FROM unnest(%(known)s::text[]) AS k (name) WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = k.name) ORDER BY 1

-- name: role_can_login
SELECT format('role %%I', rolname) AS object, format('ALTER ROLE %%I NOLOGIN;', rolname) AS fix
FROM pg_roles WHERE rolname = ANY (%(known)s::text[]) AND rolcanlogin ORDER BY 1

-- name: role_is_powerful
SELECT format('role %%I: %%s', r.rolname, string_agg(p.word, ', ')) AS object, format('ALTER ROLE %%I %%s;', r.rolname, string_agg('NO' || p.word, ' ')) AS fix
FROM pg_roles r CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('CREATEDB', r.rolcreatedb), ('CREATEROLE', r.rolcreaterole),
    ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)) AS p (word, has)
WHERE r.rolname = ANY (%(known)s::text[]) AND p.has AND NOT (p.word = 'CREATEROLE' AND r.rolname IS NOT DISTINCT FROM %(registrar)s::text)
  AND NOT (p.word = 'CREATEDB' AND r.rolname = %(migrator)s::text AND EXISTS (
      -- Of this installation, or of another on the server: roles are for all of them.
      SELECT FROM pg_database d WHERE d.datistemplate AND starts_with(shobj_description(d.oid, 'pg_database'), 'Copied for tenants')))
GROUP BY r.rolname ORDER BY 1

-- name: registrar_open
-- Administrators pass on what is theirs; nobody who works every day needs to be a member.
SELECT format('%%I is a member of %%I', m.rolname, r.rolname) AS object, format('REVOKE %%I FROM %%I;', r.rolname, m.rolname) AS fix
FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
WHERE r.rolname = %(registrar)s::text AND NOT m.rolsuper AND NOT m.rolcreaterole
ORDER BY 1

-- name: tenant_without_role
-- One that was adopted is open to nobody before its first migration, which gives it its role.
SELECT format('tenant %%s', t.tenant_id) AS object, format('tenancy migrate %%s', t.tenant_id) AS fix
FROM tenancy.tenants t
WHERE %(registrar)s::text IS NOT NULL AND t.isolation = 'schema' AND (t.owner IS NULL OR t.role IS NOT NULL)
  AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = t.role)
ORDER BY 1

-- name: app_inherits
-- One statement mends it for all tenants.
SELECT format('role %%I', a.rolname) AS object,
    CASE WHEN current_setting('server_version_num')::int >= 160000 THEN string_agg(format('GRANT %%I TO %%I WITH INHERIT FALSE;', r.rolname, a.rolname), ' ')
        ELSE format('ALTER ROLE %%I NOINHERIT;', a.rolname) END AS fix
FROM pg_roles a JOIN pg_auth_members m ON m.member = a.oid JOIN pg_roles r ON r.oid = m.roleid JOIN tenancy.tenants t ON t.role = r.rolname
WHERE a.rolname = %(app)s::text AND pg_has_role(a.oid, r.oid, 'USAGE')
GROUP BY a.rolname

-- name: role_in_predefined_role
SELECT format('%%I is a member of %%I', m.rolname, p.rolname) AS object, format('REVOKE %%I FROM %%I;', p.rolname, m.rolname) AS fix
FROM pg_roles m JOIN pg_roles p ON p.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files',
    'pg_write_server_files', 'pg_maintain', 'pg_create_subscription')
WHERE (m.rolname = ANY (%(known)s::text[]) OR m.rolname = session_user) AND NOT m.rolsuper AND pg_has_role(m.oid, p.oid, 'MEMBER')
ORDER BY 1

-- name: app_owns_objects
SELECT format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END, n.nspname, c.relname) AS object,
    format('ALTER TABLE %%I.%%I OWNER TO %%I;', n.nspname, c.relname, coalesce(%(migrator)s::text, n.nspowner::regrole::text)) AS fix
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND r.rolname IN (%(app)s::text, %(loader)s::text, %(auditor)s::text, %(script)s::text) AND n.nspname NOT LIKE 'pg\_temp%%'
ORDER BY 1

-- name: foreign_owner
SELECT format('%%I.%%I belongs to %%I', n.nspname, c.relname, pg_get_userbyid(c.relowner)) AS object,
    format('ALTER TABLE %%I.%%I OWNER TO %%I;', n.nspname, c.relname, coalesce(%(migrator)s::text, pg_get_userbyid(n.nspowner))) AS fix
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (SELECT DISTINCT namespace, owner FROM tenancy.tenants) t ON t.namespace = n.nspname
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND pg_get_userbyid(c.relowner) <> coalesce(t.owner::text, %(migrator)s::text, pg_get_userbyid(n.nspowner))
ORDER BY 1

-- name: public_grant
SELECT format('%%s: %%s', o.description, string_agg(DISTINCT g.privilege_type, ', ')) AS object, format('REVOKE ALL ON %%s FROM PUBLIC;', o.description) AS fix
FROM (
    SELECT format('SCHEMA %%I', n.nspname) AS description, n.nspacl AS acl FROM pg_namespace n JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
    UNION ALL
    SELECT format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
    UNION ALL
    SELECT format('TABLE %%I.%%I', n.nspname, c.relname), a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS g
WHERE g.grantee = 0 GROUP BY o.description ORDER BY 1

-- name: foreign_grant
SELECT format('%%s to %%I: %%s', o.description, pg_get_userbyid(g.grantee), string_agg(DISTINCT g.privilege_type, ', ')) AS object,
    format('REVOKE ALL ON %%s FROM %%I;', o.description, pg_get_userbyid(g.grantee)) AS fix
FROM (
    SELECT format('SCHEMA %%I', n.nspname) AS description, n.nspacl AS acl, n.nspowner AS owner, t.role, n.nspname AS namespace
    FROM pg_namespace n JOIN (SELECT DISTINCT namespace, CASE WHEN isolation <> 'row' THEN role END AS role FROM tenancy.tenants) t ON t.namespace = n.nspname
    UNION ALL
    SELECT format('%%s %%I.%%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname), c.relacl, c.relowner, t.role, n.nspname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace, CASE WHEN isolation <> 'row' THEN role END AS role FROM tenancy.tenants) t ON t.namespace = n.nspname
) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS g
-- Where the tenant has a role of its own, that of all tenants' applications is a stranger.
WHERE %(separate)s AND g.grantee NOT IN (0, o.owner) AND pg_get_userbyid(g.grantee) IS DISTINCT FROM o.role
  AND (pg_get_userbyid(g.grantee) <> ALL (%(known)s::text[]) OR (o.role IS NOT NULL AND pg_get_userbyid(g.grantee) = %(app)s::text))
  AND NOT EXISTS (SELECT FROM tenancy.tenants r WHERE r.namespace = o.namespace AND r.isolation = 'row' AND r.role = pg_get_userbyid(g.grantee))
GROUP BY o.description, g.grantee ORDER BY 1

-- name: control_plane_open
SELECT format('%%s to %%s: %%s', o.description, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
        string_agg(DISTINCT g.privilege_type, ', ')) AS object,
    format('REVOKE ALL ON %%s FROM %%s;', o.description, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END) AS fix
FROM (
    SELECT format('TABLE tenancy.%%I', c.relname) AS description, c.relacl AS acl, c.relowner AS owner,
        CASE c.relname WHEN 'installation' THEN 'SELECT' END AS usual
    FROM pg_class c WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
    UNION ALL
    SELECT 'SCHEMA tenancy', n.nspacl, n.nspowner, 'USAGE' FROM pg_namespace n WHERE n.nspname = 'tenancy'
    UNION ALL
    SELECT format('FUNCTION %%s', p.oid::regprocedure), coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner,
        CASE WHEN p.proname IN ('tenant_uid', 'refuse_change') THEN 'EXECUTE' END
    FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace
) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS g
WHERE g.grantee <> o.owner AND g.privilege_type IS DISTINCT FROM o.usual
  AND (g.grantee = 0 OR (%(separate)s AND pg_get_userbyid(g.grantee) <> ALL (%(known)s::text[])))
GROUP BY o.description, g.grantee ORDER BY 1

-- name: audit_trigger_off
SELECT 'trigger audit_log_append_only on tenancy.audit_log' AS object, 'ALTER TABLE tenancy.audit_log ENABLE TRIGGER audit_log_append_only;' AS fix
WHERE NOT EXISTS (
    SELECT FROM pg_trigger g WHERE g.tgrelid = 'tenancy.audit_log'::regclass AND g.tgname = 'audit_log_append_only' AND g.tgenabled IN ('O', 'A')
      AND g.tgfoid = to_regproc('tenancy.refuse_change'))

-- name: audit_open
SELECT format('%%s to %%I', string_agg(DISTINCT g.privilege_type, ', '), pg_get_userbyid(g.grantee)) AS object,
    format('REVOKE UPDATE, DELETE, TRUNCATE ON tenancy.audit_log FROM %%I;', pg_get_userbyid(g.grantee)) AS fix
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
WHERE c.oid = 'tenancy.audit_log'::regclass AND g.grantee NOT IN (0, c.relowner) AND g.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
GROUP BY g.grantee ORDER BY 1

-- name: definer_function
SELECT format('function %%s', p.oid::regprocedure) AS object, format('ALTER ROUTINE %%s SECURITY INVOKER;', p.oid::regprocedure) AS fix
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
WHERE p.prosecdef ORDER BY 1

-- name: view_crosses
-- A view that reads a tenant's tables from outside its schema: of another tenant, or of nobody.
SELECT format('%%s %%I.%%I reads %%s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, vn.nspname, v.relname,
        string_agg(DISTINCT quote_ident(n.nspname), ', ')) AS object,
    format('DROP %%s %%I.%%I;', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, vn.nspname, v.relname) AS fix
FROM pg_rewrite w JOIN pg_class v ON v.oid = w.ev_class JOIN pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
WHERE v.relkind IN ('v', 'm') AND c.relnamespace <> v.relnamespace
GROUP BY v.relkind, vn.nspname, v.relname ORDER BY 1

-- name: key_crosses
SELECT format('constraint %%I on %%I.%%I refers to %%I.%%I', o.conname, hn.nspname, h.relname, tn.nspname, c.relname) AS object,
    format('ALTER TABLE %%I.%%I DROP CONSTRAINT %%I;', hn.nspname, h.relname, o.conname) AS fix
FROM pg_constraint o
JOIN pg_class h ON h.oid = o.conrelid JOIN pg_namespace hn ON hn.oid = h.relnamespace
JOIN pg_class c ON c.oid = o.confrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace
JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = tn.nspname
WHERE o.contype = 'f' AND o.conparentid = 0 AND h.relnamespace <> c.relnamespace
ORDER BY 1

-- name: inheritance_crosses
SELECT format('%%I.%%I is a part of %%I.%%I', cn.nspname, c.relname, pn.nspname, p.relname) AS object,
    CASE WHEN c.relispartition THEN format('ALTER TABLE %%I.%%I DETACH PARTITION %%I.%%I;', pn.nspname, p.relname, cn.nspname, c.relname)
        ELSE format('ALTER TABLE %%I.%%I NO INHERIT %%I.%%I;', cn.nspname, c.relname, pn.nspname, p.relname) END AS fix
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.relnamespace <> p.relnamespace AND c.relkind IN ('r', 'p', 'f')
  AND EXISTS (SELECT FROM tenancy.tenants t WHERE t.namespace IN (cn.nspname, pn.nspname))
ORDER BY 1

-- name: trigger_crosses
SELECT format('trigger %%I on %%I.%%I runs %%s', g.tgname, n.nspname, c.relname, p.oid::regprocedure) AS object,
    format('DROP TRIGGER %%I ON %%I.%%I;', g.tgname, n.nspname, c.relname) AS fix
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = f.nspname
WHERE NOT g.tgisinternal AND c.relnamespace <> p.pronamespace
ORDER BY 1

-- name: default_crosses
SELECT format('default of %%I.%%I.%%I', n.nspname, c.relname, a.attname) AS object,
    format('ALTER TABLE %%I.%%I ALTER COLUMN %%I DROP DEFAULT;', n.nspname, c.relname, a.attname) AS fix
FROM pg_attrdef f JOIN pg_class c ON c.oid = f.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.adnum
JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
LEFT JOIN pg_class s ON d.refclassid = 'pg_class'::regclass AND s.oid = d.refobjid
LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
JOIN pg_namespace there ON there.oid = coalesce(s.relnamespace, p.pronamespace)
JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = there.nspname
WHERE there.oid <> c.relnamespace
GROUP BY n.nspname, c.relname, a.attname ORDER BY 1

-- name: type_crosses
SELECT format('%%I.%%I.%%I is of the type %%s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)) AS object,
    'Give the column a type of its own schema.' AS fix
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type y ON y.oid = a.atttypid JOIN pg_namespace there ON there.oid = y.typnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = there.nspname
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND there.oid <> c.relnamespace
ORDER BY 1

-- name: default_privileges_open
SELECT format('objects that %%I makes%%s: %%s to %%s', pg_get_userbyid(d.defaclrole), coalesce(' in ' || quote_ident(n.nspname), ''),
        string_agg(DISTINCT g.privilege_type, ', '), CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END) AS object,
    format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I%%s REVOKE ALL ON %%s FROM %%s;', pg_get_userbyid(d.defaclrole), coalesce(' IN SCHEMA ' || quote_ident(n.nspname), ''),
        CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'n' THEN 'SCHEMAS' WHEN 'T' THEN 'TYPES' ELSE 'ROUTINES' END,
        CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END) AS fix
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) AS g
WHERE g.grantee <> d.defaclrole AND d.defaclobjtype IN ('r', 'S', 'n')
  AND (pg_get_userbyid(d.defaclrole) = ANY (%(known)s::text[]) OR n.nspname IN (SELECT namespace FROM tenancy.tenants) OR pg_get_userbyid(d.defaclrole) = session_user)
  AND (g.grantee = 0 OR pg_get_userbyid(g.grantee) <> ALL (%(known)s::text[]))
GROUP BY d.defaclrole, d.defaclobjtype, n.nspname, g.grantee ORDER BY 1

-- name: setting_forced
SELECT format('%%s for %%s', c.setting, CASE s.setrole WHEN 0 THEN 'everybody' ELSE quote_ident(pg_get_userbyid(s.setrole)) END) AS object,
    CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %%I RESET %%s;', current_database(), split_part(c.setting, '=', 1))
        ELSE format('ALTER ROLE %%I%%s RESET %%s;', pg_get_userbyid(s.setrole), CASE s.setdatabase WHEN 0 THEN '' ELSE format(' IN DATABASE %%I', current_database()) END,
            split_part(c.setting, '=', 1)) END AS fix
FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (s.setrole = 0 OR pg_get_userbyid(s.setrole) = session_user OR pg_get_userbyid(s.setrole) = ANY (%(known)s::text[]))
  AND split_part(c.setting, '=', 1) IN ('search_path', 'row_security', 'role', 'session_replication_role', 'lo_compat_privileges')
ORDER BY 1

-- name: public_schema_writable
SELECT format('schema %%I', n.nspname) AS object, format('REVOKE CREATE ON SCHEMA %%I FROM PUBLIC;', n.nspname) AS fix
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) AS g
WHERE g.grantee = 0 AND g.privilege_type = 'CREATE' AND n.nspname NOT IN (SELECT namespace FROM tenancy.tenants) AND n.nspname <> 'tenancy'
ORDER BY 1

-- name: database_open
SELECT format('database %%I', d.datname) AS object, format('REVOKE CREATE ON DATABASE %%I FROM PUBLIC;', d.datname) AS fix
FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) AS g
WHERE d.datname = current_database() AND g.grantee = 0 AND g.privilege_type = 'CREATE'

-- name: risky_extension
SELECT format('extension %%I', extname) AS object, format('DROP EXTENSION %%I; or keep its functions from the application''s role.', extname) AS fix
FROM pg_extension WHERE extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'plpython3u', 'plperlu', 'pltclu', 'plsh')
ORDER BY 1

-- name: foreign_server_usable
SELECT format('server %%I for %%s', s.srvname, CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.umuser)) END) AS object,
    format('DROP USER MAPPING FOR %%s SERVER %%I;', CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.umuser)) END, s.srvname) AS fix
FROM pg_user_mappings u JOIN pg_foreign_server s ON s.oid = u.srvid
WHERE u.umuser = 0 OR pg_get_userbyid(u.umuser) = ANY (%(known)s::text[])
ORDER BY 1

-- name: publication_holds_tenants
SELECT format('publication %%I', p.pubname) AS object, format('DROP PUBLICATION %%I; or leave the tenants'' schemas out of it.', p.pubname) AS fix
FROM pg_publication p
WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_tables q JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = q.schemaname WHERE q.pubname = p.pubname)
ORDER BY 1

-- name: event_trigger
SELECT format('event trigger %%I', evtname) AS object, format('DROP EVENT TRIGGER %%I; where it is not meant to act on what the library makes.', evtname) AS fix
FROM pg_event_trigger WHERE evtenabled <> 'D' ORDER BY 1

-- name: namespace_missing
SELECT format('tenant %%s: schema %%I', t.tenant_id, t.namespace) AS object, format('Restore the schema from a backup, or run `tenancy tenant drop %%s`.', t.tenant_id) AS fix
FROM tenancy.tenants t WHERE t.isolation IN ('schema', 'row') AND NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = t.namespace)
ORDER BY 1

-- name: database_missing
SELECT format('tenant %%s: database %%I', t.tenant_id, t.namespace) AS object, format('Restore the database from a backup, or run `tenancy tenant drop %%s`.', t.tenant_id) AS fix
FROM tenancy.tenants t WHERE t.isolation = 'database' AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datname = t.namespace)
ORDER BY 1

-- name: intent_left
-- One that is under way has its row locked, by whoever will end it; after this long it is not.
SELECT format('tenant %%s: database %%I was to be %%s', i.tenant_id, i.namespace, CASE i.kind WHEN 'create' THEN 'made' ELSE 'dropped' END) AS object,
    CASE i.kind WHEN 'create' THEN format('Run `tenancy tenant create %%s --isolation database` again, or drop what there is of it.', i.tenant_id)
        ELSE format('Run `tenancy tenant drop %%s` again.', i.tenant_id) END AS fix
FROM tenancy.intents i WHERE i.at < clock_timestamp() - interval '10 minutes'
ORDER BY 1

-- name: template_open
-- It holds nobody's rows, and is copied for each tenant: what somebody puts there all of them get.
SELECT format('database %%I', d.datname) AS object, format('ALTER DATABASE %%I ALLOW_CONNECTIONS false;', d.datname) AS fix
FROM pg_database d JOIN tenancy.installation i ON i.template = d.datname WHERE d.datallowconn

-- name: namespace_unknown
SELECT format('schema %%I', n.nspname) AS object, format('Look at what it holds, then: DROP SCHEMA %%I CASCADE;', n.nspname) AS fix
FROM pg_namespace n
WHERE n.nspname LIKE 't\_%%' AND pg_get_userbyid(n.nspowner) = coalesce(%(migrator)s::text, session_user::text)
  AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.namespace = n.nspname)
ORDER BY 1

-- name: policy_missing
-- Partitions are used by way of their table, whose policy is asked; those that somebody has rights on are tables like others.
SELECT format('%%s %%I.%%I', CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END, n.nspname, c.relname) AS object,
    CASE WHEN c.relispartition THEN format('REVOKE ALL ON %%I.%%I FROM %%s;', n.nspname, c.relname, (
            SELECT string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, ', ')
            FROM aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner))
        ELSE 'Give it the column and the policy that schema_template.row.sql gives the others, or put it into another schema.' END AS fix
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN tenancy.shared_schemas s ON s.namespace = n.nspname
WHERE c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND strpos(coalesce(pg_get_expr(p.polqual, c.oid), ''), 'tenancy.tenant_uid()') > 0)
  -- With row security and without a policy nobody sees anything.
  AND (NOT c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
  AND (NOT c.relispartition OR EXISTS (SELECT FROM aclexplode(c.relacl) AS g WHERE g.grantee <> c.relowner))
ORDER BY 1

-- name: policy_not_in_force
-- Policies that are there, and stop nobody: row security is off for the table, or does not hold for its owner.
SELECT format('table %%I.%%I', n.nspname, c.relname) AS object, format('ALTER TABLE %%I.%%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', n.nspname, c.relname) AS fix
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
WHERE EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND strpos(coalesce(pg_get_expr(p.polqual, c.oid), ''), 'tenancy.tenant_uid()') > 0)
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY 1

-- name: policy_open
-- Permissive policies are joined with OR: one that is always true makes the others nothing.
SELECT format('policy %%I on %%I.%%I', p.polname, n.nspname, c.relname) AS object, format('DROP POLICY %%I ON %%I.%%I;', p.polname, n.nspname, c.relname) AS fix
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (SELECT DISTINCT namespace FROM tenancy.tenants) t ON t.namespace = n.nspname
WHERE p.polpermissive AND 'true' IN (pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid))
  AND EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = c.oid AND o.oid <> p.oid)
ORDER BY 1

-- name: server_too_old
SELECT 'PostgreSQL ' || current_setting('server_version') AS object, format('Upgrade to %%s or newer.', least.release) AS fix
FROM (VALUES (15, 150014, '15.14'), (16, 160010, '16.10'), (17, 170006, '17.6')) AS least (major, number, release)
WHERE current_setting('server_version_num')::int / 10000 = least.major AND current_setting('server_version_num')::int < least.number

-- name: connection_not_encrypted
SELECT format('connection from %%s', inet_client_addr()) AS object, 'Add sslmode=verify-full to TENANCY_DATABASE_URL.' AS fix
WHERE inet_client_addr() IS NOT NULL AND NOT inet_client_addr() <<= '127.0.0.0/8' AND inet_client_addr() <> '::1'
  AND NOT EXISTS (SELECT FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl)

-- name: tenants_share_a_role
SELECT CASE WHEN %(separate)s THEN format('role %%I', %(app)s::text) ELSE format('login %%I', session_user) END AS object,
    'Run `tenancy init` as an administrator who may make roles, then `tenancy migrate`: each tenant gets a role of its own.' AS fix
WHERE (SELECT count(*) FROM tenancy.tenants t JOIN pg_namespace n ON n.nspname = t.namespace
       -- Where they share tables, policies keep them apart.
       WHERE t.isolation <> 'row' AND has_schema_privilege(CASE WHEN %(separate)s THEN %(app)s::text ELSE session_user::text END, n.oid, 'USAGE')) > 0

-- name: backend
-- The process of the server that answers.
SELECT pg_backend_pid() AS pid
