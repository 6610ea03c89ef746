"""Vega's scripts in one file that needs no network: for the site's charts, and for DVC's page.

As a program it writes `.dvc/plots/page.html`, the page on which `dvc plots show` draws.
"""

from pathlib import Path

import altair
import vl_convert

VERSION = altair.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]  # of Vega-Lite
DVC_PAGE = Path(__file__).parents[2] / ".dvc" / "plots" / "page.html"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{refresh_tag}}
<title>Plots of DVC</title>
<style>
body {{ font-family: sans-serif; margin: 1rem; }}
.vega-embed {{ max-width: 100%; overflow-x: auto; }}
</style>
<script>
{script}</script>
</head>
<body>
<h1>Plots of DVC</h1>
{{plot_divs}}
</body>
</html>
"""


def bundle() -> str:
    """Vega, Vega-Lite and vega-embed in one script, of the versions that the lock holds."""
    script = vl_convert.javascript_bundle(vl_version=VERSION)
    notice = "// Vega, Vega-Lite and vega-embed, of the University of Washington: BSD-3-Clause"
    return f"{notice}\n(() => {{\n{script}\n}})();\n"  # its names are not the page's


def dvc_page() -> str:
    """The page on which DVC puts its plots."""
    return PAGE.format(script=bundle().replace("</script", "<\\/script"))


if __name__ == "__main__":
    DVC_PAGE.write_text(dvc_page(), encoding="utf-8")
