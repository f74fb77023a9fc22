"""How the viewer is opened beside a read: at its own time point, an earlier one offered beside it."""

from __future__ import annotations

from urllib.parse import urlencode

from trialimg.casework.read_images import Images, images_of
from trialimg.casework.read_page import Prior, ReadPage
from trialimg.casework.services import services


def beside_of(page: ReadPage, asked: str) -> Prior | None:
    """Give the earlier study that was asked for beside the read's own; None for any other than the design shows."""
    return next((each for each in page.priors if each.study_instance_uid == asked), None)


def viewer_address(page: ReadPage, images: Images, beside: Prior | None = None) -> str:
    """Give the viewer's address: every study that the design shows is in its list, the read's own first.

    It opens at the largest series that is no localizer; ``beside`` is shown in a pane of its own at the right.
    """
    main = images.main
    first, series = ([main.study], [main.key]) if main else (list(page.shown[:1]), [])
    more = {}
    if beside is not None:
        first.append(beside.study_instance_uid)
        earlier = images_of(services(), [beside.study]).main
        series += [earlier.key] if earlier else []
        more = {"hangingProtocolId": "trialimg.beside"}  # as static/viewer/app-config.js defines it
    asked = {"StudyInstanceUIDs": ",".join(dict.fromkeys([*first, *page.shown]))}
    if series:
        asked["initialSeriesInstanceUID"] = ",".join(series)
    return f"/viewer/viewer?{urlencode(asked | more, safe=',')}"
