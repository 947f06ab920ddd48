"""Reads a picture and writes it anew, in a process of its own with bounded memory and time.

Run as a program, never imported: `python -I picture.py '<job as JSON>'`. It sees nothing of Trunkline; what it
prints is {"mime", "width", "height"} or {"error"}. What a hostile picture can break is this process alone.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from PIL import Image, ImageOps, ImageSequence

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
#: Longest edge of a preview in pixels.
_PREVIEW_EDGE = 1024
_PREVIEW_QUALITIES = (85, 70, 50, 30)


class _Refused(Exception):
    """This picture is not taken; the message is a code."""


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job: {source, target, preview, max_pixels, preview_bytes}."""
    Image.MAX_IMAGE_PIXELS = job["max_pixels"]
    try:
        with Image.open(job["source"], formats=_FORMATS) as image:
            return _rewrite(image, job)
    except _Refused as error:
        return {"error": str(error)}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return {"error": "picture_too_large"}
    except Exception:  # noqa: BLE001 - isolation point: decoders raise anything, and all of it means the same
        return {"error": "picture_unreadable"}


def _rewrite(image: Any, job: dict[str, Any]) -> dict[str, Any]:
    width, height = image.size
    if width * height > job["max_pixels"]:
        raise _Refused("picture_too_large")
    frames = getattr(image, "n_frames", 1)
    if width * height * frames > job["max_pixels"]:
        raise _Refused("picture_too_large")
    if frames > 1 and image.format in {"GIF", "WEBP"}:
        return _rewrite_film(image, job)
    still = ImageOps.exif_transpose(image)
    still.load()
    kind = "JPEG" if image.format in {"JPEG", "WEBP"} and not still.has_transparency_data else "PNG"
    clean = _clean(still, kind)
    clean.save(job["target"], kind, **_options(kind, image.info.get("icc_profile")))
    size = {"width": clean.width, "height": clean.height}
    _preview(clean, job)
    return {"mime": _MIMES[kind], **size}


def _clean(image: Any, kind: str) -> Any:
    """Leave pixels and nothing else: EXIF, comments and thumbnails live in `info`."""
    wanted = {"JPEG": {"L", "RGB"}, "PNG": {"1", "L", "LA", "RGB", "RGBA", "I;16"}}[kind]
    if image.mode not in wanted:
        image = image.convert("RGBA" if image.has_transparency_data and kind == "PNG" else "RGB")
    transparency = image.info.get("transparency")
    image.info = {} if transparency is None else {"transparency": transparency}
    return image


def _options(kind: str, profile: bytes | None) -> dict[str, Any]:
    colours = {"icc_profile": profile} if profile and len(profile) < 65536 else {}
    return {**colours, **({"quality": 90} if kind == "JPEG" else {})}


def _rewrite_film(image: Any, job: dict[str, Any]) -> dict[str, Any]:
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        durations.append(frame.info.get("duration", 100))
        frames.append(frame.convert("RGBA"))
        frames[-1].info = {}
    frames[0].save(
        job["target"],
        image.format,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=image.info.get("loop", 0),
    )
    _preview(frames[0], job)
    return {"mime": _MIMES[image.format], "width": image.width, "height": image.height}


def _preview(image: Any, job: dict[str, Any]) -> None:
    """Write a JPEG of at most `preview_bytes`, on white where the picture is transparent.

    Shrinks `image` itself: a copy of a large one would not fit into our memory.
    """
    small = image
    small.thumbnail((_PREVIEW_EDGE, _PREVIEW_EDGE))
    if small.has_transparency_data:
        small = small.convert("RGBA")
        paper = Image.new("RGB", small.size, "white")
        paper.paste(small, mask=small.getchannel("A"))
        small = paper
    small = small.convert("RGB")
    small.info = {}
    for quality in _PREVIEW_QUALITIES:
        with open(job["preview"], "wb") as file:  # noqa: PTH123 - the file stays open while it is measured
            small.save(file, "JPEG", quality=quality)
            if file.tell() <= job["preview_bytes"]:
                return
    raise _Refused("picture_unreadable")


def _confine(job: dict[str, Any]) -> None:
    """Take away memory, time and files before the first byte of the picture is read."""
    resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_bytes"], job["file_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    _confine(task)
    print(json.dumps(main(task)))  # noqa: T201 - the answer to the parent
