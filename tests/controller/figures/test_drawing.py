"""Figures really drawn: PNG and SVG by matplotlib, HTML in a browser."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from controller.errors import UnknownNameError
from controller.verbs.plotting import figure, kinds_of
from controller.verbs.stores import Found


def test_png_of_150_dots_per_inch_is_the_same_each_time(two: Found, tmp_path: Path) -> None:
    told = figure(two, "progress")
    path = told.save(tmp_path / "a.png")
    data = path.read_bytes()
    width, _ = struct.unpack(">II", data[16:24])
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert width == 1650  # 11 inches
    assert told.save(tmp_path / "b.png").read_bytes() == data


def test_svg_is_well_formed(two: Found, tmp_path: Path) -> None:
    path = figure(two, "front").save(tmp_path / "a.svg")
    root = ElementTree.fromstring(path.read_text())
    assert root.tag.endswith("svg")
    assert sum(1 for _ in root.iter()) > 100


def test_unknown_ending_and_missing_folder_are_told_in_one_line(one: Found, tmp_path: Path) -> None:
    told = figure(one, "progress")
    with pytest.raises(UnknownNameError, match=r"a\.pdf: a figure is written as \.png, \.svg, \.html"):
        told.save(tmp_path / "a.pdf")
    with pytest.raises(UnknownNameError, match="No such file or directory; name a file in an existing folder"):
        told.save(tmp_path / "nowhere" / "a.html")


def test_notebook_shows_picture_and_data(one: Found) -> None:
    html = figure(one, "progress")._repr_html_()
    assert "data:image/svg+xml;base64," in html
    assert "the best is experiment 8" in html
    assert "<th>yield [%]</th>" in html
    assert "<script" not in html


def test_every_kind_a_campaign_can_have_is_listed(one: Found, two: Found) -> None:
    assert next(iter(kinds_of(one))) == "progress"
    with pytest.raises(UnknownNameError, match="there is no figure 'pie'; there is progress"):
        figure(two, "pie")
