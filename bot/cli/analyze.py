"""The command ``analyze``: images and videos in files."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from bot.analyze.analyser import analyse_file
from bot.analyze.files import AnalyzeError, describe_left_out, find_media, with_copies
from bot.app import make_analyser
from bot.cli.options import FAILED, with_settings
from bot.config import ConfigError, Settings


@click.command(
    epilog="Examples: classmood analyze photo.jpg  |  classmood analyze clips/ --jsonl > faces.jsonl"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("analyzed"),
    show_default=True,
    help="Folder for the copies with boxes and labels.",
)
@click.option("--jsonl", is_flag=True, help="Print one line of JSON for each frame.")
@with_settings
def analyze(settings: Settings, paths: tuple[Path, ...], out: Path, jsonl: bool) -> None:
    """Analyse the faces in images and videos.

    PATHS are files, or folders whose files are analysed. Boxes and labels are drawn into copies; the
    originals stay as they are.

    Images are searched thoroughly, for whole rooms of small faces. Videos are searched like a live camera,
    unless several people are seen in the first three seconds, as in a recorded call: then a frame takes up to
    fifty times as long, for example 0.1 to 0.3 s with 1080 lines.
    """
    files, left_out = find_media(paths)
    if left_out:
        click.echo(describe_left_out(left_out), err=True)
    if not settings.privacy.analyses_faces:
        raise ConfigError("privacy.jurisdiction is eu-education: face analysis is disabled, for files too")
    analyser = make_analyser(settings.analysis)
    failed = False
    for file, copy in with_copies(files, out):
        frames = faces = 0
        try:
            with tqdm(desc=file.name, unit=" frames", file=sys.stderr, leave=False) as bar:
                for record in analyse_file(file, analyser, copy):
                    frames += 1
                    faces += len(record.analysis.faces)
                    bar.update()
                    if jsonl:
                        click.echo(record.to_json())
        except AnalyzeError as exc:
            click.echo(f"classmood: {exc}", err=True)
            failed = True
            continue
        click.echo(f"{file}: {frames} frames, {faces} faces; copy with boxes: {copy}", err=True)
    if failed:
        sys.exit(FAILED)
