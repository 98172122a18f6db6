"""Write every dashboard anew."""

from __future__ import annotations

from dashboards.build.catalog import DASHBOARDS, FOLDER, text

if __name__ == "__main__":
    for name, build in DASHBOARDS.items():
        path = FOLDER / f"{name}.json"
        path.write_text(text(build()), encoding="utf-8")
        print(f"wrote {path}")
