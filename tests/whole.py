"""Whether every face goes every way (`make faces`), or those that together go all of them (`make test`)."""

import os

WHOLE = bool(os.environ.get("LOSSMITH_WHOLE"))
