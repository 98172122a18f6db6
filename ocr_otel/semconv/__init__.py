"""Every span, attribute, metric and event name that ocr_otel emits, with its unit, meaning and presence.

Code, documentation, dashboards and alert rules read the names from here and nowhere else. Names that an
OpenTelemetry semantic convention defines (`exception.*`, `process.*`, `host.*`, `service.*`) are imported from
`opentelemetry.semconv` where they are used and are not repeated here.
"""

# Each of these modules is a list of names, and all of them are public.
from ocr_otel.semconv.attributes import *
from ocr_otel.semconv.ends import *
from ocr_otel.semconv.evidence import *
from ocr_otel.semconv.foreign import *
from ocr_otel.semconv.gpus import *
from ocr_otel.semconv.hosts import *
from ocr_otel.semconv.memory import *
from ocr_otel.semconv.metrics import *
from ocr_otel.semconv.names import *
from ocr_otel.semconv.profile_events import *
from ocr_otel.semconv.profiles import *
from ocr_otel.semconv.prometheus import *
from ocr_otel.semconv.ranks import *
from ocr_otel.semconv.spans import *
from ocr_otel.semconv.surroundings import *
from ocr_otel.semconv.trackers import *
from ocr_otel.semconv.values import *
