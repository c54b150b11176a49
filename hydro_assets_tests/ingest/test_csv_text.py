from pathlib import Path

import pytest

from hydro_assets.errors import SourceFileError
from hydro_assets.ingest.csv_text import CsvText, read_csv_text


def text(folder: Path, content: str) -> CsvText:
    path = folder / "some.csv"
    path.write_bytes(content.encode())
    return read_csv_text(path)


def test_columns__are_strings_as_written_under_new_names(tmp_path: Path) -> None:
    frame = text(tmp_path, "a,b,c\n1.50, x,\n2,y,z\n").columns({"third": 2, "first": 0})
    assert frame.to_dict(as_series=False) == {"third": [None, "z"], "first": ["1.50", "2"]}


def test_columns__blank_lines_count_as_rows_so_that_line_numbers_hold(tmp_path: Path) -> None:
    read = text(tmp_path, "\n\na;b\r\n1;2\r\n\r\n   \r\n3;4\r\n")
    frame = read.columns({"a": 0})
    row = frame["a"].to_list().index("3")
    assert read.line_of(row) == 7


def test_line_of__counts_lines_inside_quotes(tmp_path: Path) -> None:
    read = text(tmp_path, 'a,b\n1,"two\nlines"\n\n3,4\n')
    row = read.columns({"a": 0})["a"].to_list().index("3")
    assert read.line_of(row) == 5


@pytest.mark.parametrize("content", ["a,b\n1,2\n3\n", 'a,b\n1,2\n"3"\n', "a,b\n1,2\n3,4,5\n", "a,b\n1,2,3\n4\n"])
def test_columns__refuses_a_line_of_another_width(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceFileError, match=r"Line [23] of some.csv has [13] values? where the header names 2"):
        text(tmp_path, content).columns({"a": 0})
