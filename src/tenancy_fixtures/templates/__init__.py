"""The default pack: a Spotify AI agent's tenant.

``pack.json`` names the datasets and maps their columns, ``tenant_template.json`` and ``config_template.json`` say what
a new tenant may do and how it is set up, ``schema_template.sql`` is the head of its schema and ``migrations/`` the way
there, ``schemas/`` holds the JSON Schemas of the JSON files, ``generate`` makes ``data/``.

Ids that the data does not carry are version 5 uuids (RFC 9562) in the namespace ``6f6f2c5e-3d0b-5b1e-9a57-7c1f6a0f5e11``
of the kind and the natural key, joined by U+001F: an artist's is that of ``artist``, U+001F and the name. So the same name
gives the same id in every dataset, every load and every tenant.
"""
