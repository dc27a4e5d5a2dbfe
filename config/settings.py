"""Every setting of IRCase. Values come from the environment (docs/production.md); unsafe ones stop the start."""

from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kombu import Queue

from config.env import (
    database,
    env_bool,
    env_float,
    env_floats,
    env_int,
    env_list,
    env_optional_secret,
    env_secret,
    env_str,
)
from frontend.headers import of_static_file

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where things live ---------------------------------------------------------------------------------------------
DATA_DIR = Path(env_str("IRCASE_DATA_DIR", str(BASE_DIR / "var")))
EVIDENCE_DIR = DATA_DIR / "evidence"  # sealed bytes, named by SHA-256
TABLES_DIR = DATA_DIR / "tables"  # Parquet made from evidence; always rebuildable
SPOOL_DIR = DATA_DIR / "spool"  # work in progress; may be emptied while no worker runs
PREVIEWS_DIR = DATA_DIR / "previews"  # looks at evidence, made by workers; may be emptied at any time
REPORTS_DIR = DATA_DIR / "reports"
IMPORTS_DIR = DATA_DIR / "imports"  # exports of other sites, until they are cases
EXPORTS_DIR = DATA_DIR / "exports"  # zips that were made to be handed out; they go after EXPORT_KEEP_DAYS
UPLOADS_DIR = DATA_DIR / "uploads"  # what has arrived of uploads that are not whole yet; on the disk of the evidence
ATTACK_DIR = DATA_DIR / "attack"  # ATT&CK data that an administrator uploaded

# --- Where evidence lies (docs/production.md) ------------------------------------------------------------------------
STORE = env_str("IRCASE_STORE", "disk")  # disk, s3 or azure
STORE_KEYS = env_optional_secret("IRCASE_STORE_KEYS")  # id:base64, newest first; empty: not encrypted by IRCase
STORE_READ_BACK = env_bool("IRCASE_STORE_READ_BACK", True)  # what was written is hashed again before it counts
STORE_RESERVE_BYTES = env_int("IRCASE_STORE_RESERVE_BYTES", 256 * 2**20)  # of a disk that evidence may not take
STORE_CACHE_DIR = DATA_DIR / "copies"  # plain copies for parsers, of what lies elsewhere or is encrypted
STORE_CACHE_BYTES = env_int("IRCASE_STORE_CACHE_BYTES", 10 * 2**30)
CASE_QUOTA_BYTES = env_int("IRCASE_CASE_QUOTA_BYTES", 0)  # of evidence a case may hold; 0: no limit
# Closed by two people are cases of these severities, unless nothing bad had happened (services.casework.closing).
CLOSE_REVIEW = env_list("IRCASE_CLOSE_REVIEW", "medium,high,critical")
REHASH_DAYS = env_int("IRCASE_REHASH_DAYS", 30)  # every file is hashed again in this time; 0: never by itself
REHASH_BYTES_PER_SECOND = env_int("IRCASE_REHASH_BYTES_PER_SECOND", 50 * 2**20)
S3: dict[str, Any] = {
    "bucket": env_str("IRCASE_S3_BUCKET", ""),
    "prefix": env_str("IRCASE_S3_PREFIX", ""),
    "endpoint": env_str("IRCASE_S3_ENDPOINT", ""),  # empty: Amazon's
    "region": env_str("IRCASE_S3_REGION", ""),
    "access_key": env_str("IRCASE_S3_ACCESS_KEY", ""),  # empty: the machine's own role
    "secret_key": env_optional_secret("IRCASE_S3_SECRET_KEY"),
    "path_style": env_bool("IRCASE_S3_PATH_STYLE", False),
    "ca_file": env_str("IRCASE_S3_CA_FILE", ""),
    "sse": env_str("IRCASE_S3_SSE", ""),  # AES256 or aws:kms
    "sse_key": env_str("IRCASE_S3_SSE_KEY", ""),
    "lock_mode": env_str("IRCASE_S3_LOCK_MODE", ""),  # GOVERNANCE or COMPLIANCE
    "lock_days": env_int("IRCASE_S3_LOCK_DAYS", 0),
    "conditional": env_bool("IRCASE_S3_CONDITIONAL", True),  # 0 for vendors without If-None-Match
    "plain_checksums": env_bool("IRCASE_S3_PLAIN_CHECKSUMS", False),  # 1 for vendors without CRC checksums
    "timeout": env_float("IRCASE_S3_TIMEOUT", 60),
    "tries": env_int("IRCASE_S3_TRIES", 5),
}
AZURE: dict[str, Any] = {
    "container": env_str("IRCASE_AZURE_CONTAINER", ""),
    "account": env_str("IRCASE_AZURE_ACCOUNT", ""),
    "endpoint": env_str("IRCASE_AZURE_ENDPOINT", ""),  # empty: https://<account>.blob.core.windows.net
    "prefix": env_str("IRCASE_AZURE_PREFIX", ""),
    # How we sign in: one of the account's key, a shared access signature, an app registration, a managed identity.
    "key": env_optional_secret("IRCASE_AZURE_KEY"),
    "sas": env_optional_secret("IRCASE_AZURE_SAS"),
    "tenant": env_str("IRCASE_AZURE_TENANT", ""),
    "client_id": env_str("IRCASE_AZURE_CLIENT_ID", ""),
    "client_secret": env_optional_secret("IRCASE_AZURE_CLIENT_SECRET"),
    "identity": env_str("IRCASE_AZURE_IDENTITY", ""),  # system, or the client id of a user-assigned one
    "login": env_str("IRCASE_AZURE_LOGIN", "https://login.microsoftonline.com"),
    "ca_file": env_str("IRCASE_AZURE_CA_FILE", ""),
    "lock_mode": env_str("IRCASE_AZURE_LOCK_MODE", ""),  # Unlocked or Locked
    "lock_days": env_int("IRCASE_AZURE_LOCK_DAYS", 0),
    "timeout": env_float("IRCASE_AZURE_TIMEOUT", 60),
    "tries": env_int("IRCASE_AZURE_TRIES", 5),
}

# --- Django --------------------------------------------------------------------------------------------------------
SECRET_KEY = env_secret("IRCASE_SECRET_KEY")
FIELD_KEYS = env_secret("IRCASE_FIELD_KEYS").split(",")  # Fernet keys, newest first: connection secrets at rest
DEBUG = env_bool("IRCASE_DEBUG", False)
ALLOWED_HOSTS = env_list("IRCASE_ALLOWED_HOSTS", "localhost,127.0.0.1")
CSRF_TRUSTED_ORIGINS = env_list("IRCASE_TRUSTED_ORIGINS")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "ircase.User"
LOGIN_URL = "ircase:sign_in"
LOGIN_REDIRECT_URL = "ircase:my_work"
LOGOUT_REDIRECT_URL = "ircase:sign_in"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_htmx",
    "ircase",
    "hunting",
    "liveresponse",
]
MIDDLEWARE = [
    "ircase.api.manner.requests.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ircase.middleware.TimeZoneMiddleware",
    "ircase.middleware.RequestLogMiddleware",
    "ircase.middleware.SeenMiddleware",
    "ircase.middleware.LookMiddleware",
    "ircase.middleware.DraftMiddleware",
    "hunting.middleware.LibraryMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["frontend.drawing"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ircase.context.navigation",
                "liveresponse.context.kill_switch",
            ],
        },
    }
]
DATABASES = {"default": database(env_str("DATABASE_URL", f"sqlite:///{DATA_DIR / 'ircase.sqlite3'}"))}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "ircase.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Sign-in is throttled by account and address together, so that nobody can lock a colleague out from elsewhere.
AXES_FAILURE_LIMIT = env_int("IRCASE_SIGN_IN_TRIES", 8)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "ircase.views.people.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "ircase.addresses.address_of"
AXES_HANDLER = "ircase.throttle.CountingHandler"  # counts a wrong try, and keeps nothing of what was typed beside it
PASSWORD_RESET_TIMEOUT = 24 * 3600  # of a link by which a password is set

# --- Transport and browser safety ----------------------------------------------------------------------------------
# The embedded mode serves plain http on the loopback; everything else is https behind a proxy that sets the header.
INSECURE_HTTP = env_bool("IRCASE_INSECURE_HTTP", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_HTTP
SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not INSECURE_HTTP
SECURE_HSTS_PRELOAD = False
if env_bool("IRCASE_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Proxies of ours between the client and this server: whose word about the client's address is taken.
PROXY_HOPS = env_int("IRCASE_PROXY_HOPS", 1 if env_bool("IRCASE_BEHIND_PROXY", False) else 0)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env_int("IRCASE_SESSION_HOURS", 12) * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}

# --- Language, time, static files ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = Path(env_str("IRCASE_STATIC_DIR", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "frontend" / "dist"] if (BASE_DIR / "frontend" / "dist").is_dir() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env_str("IRCASE_STATIC_STORAGE", "whitenoise.storage.CompressedManifestStaticFilesStorage")
    },
}
WHITENOISE_ADD_HEADERS_FUNCTION = of_static_file
# Files are taken where evidence is handed in, and nowhere else: a form elsewhere must not fill the disk.
FILE_UPLOAD_HANDLERS = ["ircase.services.transfer.uploads.RefuseHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 * 2**20
UPLOAD_MAX_BYTES = env_int("IRCASE_UPLOAD_MAX_BYTES", 4 * 2**30)  # of one form
UPLOAD_RESUMABLE_MAX_BYTES = env_int("IRCASE_UPLOAD_RESUMABLE_MAX_BYTES", 64 * 2**30)  # of one file that comes in parts
UPLOAD_RESERVE_BYTES = env_int("IRCASE_UPLOAD_RESERVE_BYTES", 2**30)  # of free disk that no upload may take
UPLOAD_EXPIRES_SECONDS = env_int("IRCASE_UPLOAD_EXPIRES_SECONDS", 3 * 86_400)
# Folders of the server, parted by commas, below which an administrator may have hunts read; none unless set.
HUNT_IMPORT_ROOTS = env_list("IRCASE_IMPORT_ROOTS")

# --- API: requests a minute (docs/api.md); 0: no limit ---------------------------------------------------------------
API_PER_TOKEN = env_int("IRCASE_API_PER_TOKEN", 600)
API_PER_PERSON = env_int("IRCASE_API_PER_PERSON", 1200)

PRESENCE = env_bool("IRCASE_PRESENCE", True)  # colleagues see who else is on a case (docs/notes.md)

# --- Background work -----------------------------------------------------------------------------------------------
REDIS_URL = env_str("IRCASE_REDIS_URL", "redis://localhost:6379/0")
# Celery spells a unix socket in its own way.
CELERY_BROKER_URL = f"redis+socket://{REDIS_URL[7:]}" if REDIS_URL.startswith("unix://") else REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
# What devices wait for is short, and must not stand behind an hour of reading files. A worker that is told nothing else
# takes both queues.
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = [Queue("celery"), Queue("devices")]
CELERY_TASK_ROUTES = {"liveresponse.*": {"queue": "devices"}}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A web request must not hang on a dead broker: the row is written, the sweep sends the message later.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "visibility_timeout": 3600,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Seconds. A RUNNING row without a heartbeat for this long is handed back to the queue.
HEARTBEAT_SECONDS = env_float("IRCASE_HEARTBEAT_SECONDS", 15)
FIRST_BEAT_SECONDS = 1.0
STALE_SECONDS = env_float("IRCASE_STALE_SECONDS", 90)
SWEEP_SECONDS = env_float("IRCASE_SWEEP_SECONDS", 15)
MAX_ATTEMPTS = env_int("IRCASE_MAX_ATTEMPTS", 5)
TIMELINE_REST_SECONDS = env_float("IRCASE_TIMELINE_REST_SECONDS", 10)  # between two builds of a case's super-timeline
# What asking a cut hunt again in slices of time may use (docs/hunting-limits.md).
HUNTING_SLICE_CALLS = env_int("IRCASE_HUNTING_SLICE_CALLS", 200)
HUNTING_SLICE_ROWS = env_int("IRCASE_HUNTING_SLICE_ROWS", 5_000_000)
HUNTING_SLICE_BYTES = env_int("IRCASE_HUNTING_SLICE_BYTES", 2 * 2**30)
HUNTING_SLICE_SECONDS = env_int("IRCASE_HUNTING_SLICE_SECONDS", 3600)
# What queries on a case's own tables are given beside them (docs/supplies.md).
PLACES_FILE = env_str("IRCASE_MMDB", "")  # a GeoLite2 database; empty: the one that an administrator uploaded
FILE_PROFILE_HOURS = env_int("IRCASE_FILE_PROFILE_HOURS", 168)  # how long Defender's answer about a file is kept
FILE_PROFILE_CALLS = env_int("IRCASE_FILE_PROFILE_CALLS", 200)  # files that one run asks Defender about
FEEDS_MAY_USE_LOOPBACK = False  # the tests' feeds are on this machine; no environment can set it

# --- Exports and signed statements (docs/evidence.md) ----------------------------------------------------------------
EXPORT_KEEP_DAYS = env_int("IRCASE_EXPORT_KEEP_DAYS", 14)
SIGNING_KEY = env_secret("IRCASE_SIGNING_KEY", "")  # 32 bytes, hexadecimal; empty: made at first use, kept encrypted
STATEMENT_HOURS = env_float("IRCASE_STATEMENT_HOURS", 24)
STATEMENT_URLS = env_list("IRCASE_STATEMENT_URLS")  # https addresses that each statement is sent to
STATEMENT_PRIVATE_HOSTS = env_list("IRCASE_STATEMENT_PRIVATE_HOSTS")  # hosts that may lie on the house's own network
# A time-stamping authority (RFC 3161) that stamps each statement; http is usual there, for the answer is signed.
TSA_URL = env_str("IRCASE_TSA_URL", "")
TSA_CA_FILE = env_str("IRCASE_TSA_CA_FILE", "")  # PEM: its root and what lies between; empty: the machine's authorities
TSA_POLICY = env_str("IRCASE_TSA_POLICY", "")  # the policy that is asked for, an OID; empty: the authority's own
TSA_SECONDS = env_float("IRCASE_TSA_SECONDS", 20)

# --- Telling people outside the app (docs/notifications.md) ----------------------------------------------------------
# Where people reach this server, as in https://ircase.example.com: links in mail, cards and hooks begin with it.
_HOST = next(iter(ALLOWED_HOSTS), "localhost")
PUBLIC_URL = env_str("IRCASE_PUBLIC_URL", f"{'http' if INSECURE_HTTP else 'https'}://{_HOST}")
EMAIL_HOST = env_str("IRCASE_SMTP_HOST", "")  # empty: no mail is sent
EMAIL_PORT = env_int("IRCASE_SMTP_PORT", 587)
EMAIL_HOST_USER = env_str("IRCASE_SMTP_USER", "")
EMAIL_HOST_PASSWORD = env_optional_secret("IRCASE_SMTP_PASSWORD")
EMAIL_USE_SSL = env_bool("IRCASE_SMTP_SSL", False)
EMAIL_USE_TLS = env_bool("IRCASE_SMTP_STARTTLS", not EMAIL_USE_SSL)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env_str("IRCASE_MAIL_FROM", "IRCase <ircase@localhost>")
MAIL_DOMAIN = parseaddr(DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
HOOK_PRIVATE_HOSTS = env_list("IRCASE_HOOK_PRIVATE_HOSTS")  # hosts of hooks that may lie on the house's own network
# Seconds before each further try of a message: eight in a day.
DELIVERY_WAITS = env_floats("IRCASE_DELIVERY_WAITS", "60,300,900,3600,7200,14400,21600,36000")

# --- Passkeys (docs/people.md): never from what a request says of its host -------------------------------------------
_PUBLIC = urlsplit(PUBLIC_URL)
PASSKEY_RP_ID = env_str("IRCASE_PASSKEY_RP_ID", _PUBLIC.hostname or "")  # empty: no passkeys
PASSKEY_ORIGINS = env_list("IRCASE_PASSKEY_ORIGINS", f"{_PUBLIC.scheme}://{_PUBLIC.netloc}".lower())

# --- Logs: one JSON object a line, to standard error -----------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ircase.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env_str("IRCASE_LOG_LEVEL", "INFO")},
    "loggers": {
        "celery": {"level": "WARNING"},
        "azure": {"level": "WARNING"},
        "msal": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
