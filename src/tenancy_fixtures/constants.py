"""The defaults that the library promises, each with its reason."""

from __future__ import annotations

from typing import Final

# One COPY write. A slice of a thousand rows keeps the encoder's buffers in the CPU's cache and makes progress visible
# ten times a second, while the cost of a write call stays below one percent of the load.
DEFAULT_BATCH_SIZE: Final = 1000

# Operations at once in one process. Creating tenants is bound by the server's CPU and catalogue: ten connections give
# nearly three times the throughput of one, and more give nothing.
DEFAULT_MAX_CONCURRENCY: Final = 10

# Seconds that a cached registry row, configuration or feature may be served without asking the database again.
DEFAULT_CACHE_TTL: Final = 3600

# Seconds that one validation may take before it is cancelled.
DEFAULT_VALIDATION_TIMEOUT: Final = 300

# Seconds to wait for a lock that another session holds: long enough for another operation on the same tenant to end,
# short enough that a forgotten transaction in a console is reported and not waited for.
DEFAULT_LOCK_TIMEOUT: Final = 60

# Seconds for one statement. Index builds of large tables are the longest that we send.
DEFAULT_STATEMENT_TIMEOUT: Final = 3600

# Seconds after which a run that shows no sign of life counts as crashed. Its transaction's row lock is asked as well,
# so a slow run is never mistaken for a dead one.
RUN_LEASE_SECONDS: Final = 15

# Bytes of a text source that are parsed at once: some 16,000 records. Larger blocks cost memory and gain nothing.
FRAME_BYTES: Final = 3 * 1024 * 1024

# A record that does not fit into a block is read with a larger one, up to this; beyond it a quote or a bracket that is
# never closed is the likelier reason than a record of that size.
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024

# Values inside each other in JSON. Records of people are some ten deep; a parser that recurses must not meet a million.
MAX_JSON_DEPTH: Final = 128

# YAML is read as a whole, some 300 KB a second; a model's description has a few. Aliases make much of little: values are counted
# as often as they are used.
MAX_YAML_BYTES: Final = 2 * 1024 * 1024
MAX_YAML_NODES: Final = 200_000

# Problems listed in one report; the rest is counted.
MAX_LISTED_REJECTS: Final = 1000

# PostgreSQL cuts longer identifiers without a word: two tenants would share a schema.
MAX_IDENTIFIER_BYTES: Final = 63

# Seconds that the embedded server stays up after its last user has gone.
EMBEDDED_IDLE_SECONDS: Final = 60

# The oldest servers that we are tested against.
MIN_POSTGRES: Final = 15
MIN_REDIS: Final = (7, 0)

# Where Spotify's Web API is, and where it gives out tokens.
SPOTIFY_API_URL: Final = "https://api.spotify.com/v1"
SPOTIFY_ACCOUNTS_URL: Final = "https://accounts.spotify.com"

# Requests to a web API at once. Its limits count requests in half a minute: more at once only reach them sooner.
WEB_API_CONCURRENCY: Final = 4

# Seconds that one request may be told to wait by Retry-After, in all. A limit of requests passes within a minute; who says
# more means hours, as for a quota that is used up, and nobody wants a command that sleeps until tomorrow.
WEB_API_WAIT: Final = 120

CONTROL_SCHEMA: Final = "tenancy"
NAMESPACE_PREFIX: Final = "t_"
SHARED_PREFIX: Final = "shared_"
TENANT_SETTING: Final = "tenancy.tenant_id"
# In tables that several tenants share: whose row it is, by uid.
TENANT_COLUMN: Final = "tenant_id"

# Bytes of source from which on an empty table's indexes are built after its rows. Taking them off and putting them back
# costs some milliseconds a table, which smaller loads do not gain.
LATE_INDEX_BYTES: Final = 1024 * 1024

# What a dataset's sources may amount to, in bytes after decompression: one of them, and all of one load. Far above any
# file that people load into one tenant, and below what fills the disk of a usual server.
MAX_SOURCE_BYTES: Final = 64 * 1024**3
MAX_TOTAL_BYTES: Final = 256 * 1024**3

# How many times its packed size a source may unpack to. Records pack to a tenth, seldom to a fiftieth; gzip ends at a
# thousand, and what comes near it is made to fill disks. Small sources may be as repetitive as they like.
MAX_COMPRESSION_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 64 * 1024**2

# Months that get a partition of their own where records need it: those of so many years back, and ahead. Others go into the
# default partition, and so does what a clock without a battery reports. Each partition costs some ten locks when its tenant is
# dropped, of the 6,400 that a server has by default.
PARTITION_YEARS: Final = (10, 1)

# Files of one dataset, entries of an archive included that are no data: each costs some memory before the first is read.
MAX_SOURCES: Final = 10_000

# Rows up to which a table is recorded with every load, so that rows that go or change later are found: 0.1 s for so many.
# Larger tables are recorded when somebody asks for it, and never at the cost of a load.
RECORDED_ROWS: Final = 100_000
