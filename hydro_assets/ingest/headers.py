"""Headers and series names to Gold columns: what is named plainly is taken, the rest becomes a proposal to type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hydro_assets.ingest.units import GOLD_UNIT, fits, is_unit, unit_of
from hydro_assets.tables import ACTUATORS, SENSOR

# Name of a quantity in --map and --unit, and in raw exports -> Gold column.
QUANTITIES: dict[str, str] = {
    "timestamp": "timestamp_key",
    "id": "reading_id",
    "system_id": "system_id",
    "pH": "ph_level",
    "TDS": "tds_level",
    "EC": "ec_level",
    "DHT_temp": "air_temperature",
    "DHT_humidity": "air_humidity",
    "water_temp": "water_temperature",
    "water_level": "water_level",
    **{code: column for column, code, _ in ACTUATORS},
}
HEADER_OF: dict[str, str] = {column: name for name, column in QUANTITIES.items()}
TIME, IDENTITY, SYSTEM = "timestamp_key", "reading_id", "system_id"

# Words of a name, made alike: `Air Temperature [°C]`, `airTemp` and `Temperatura ambiente` are of "air" and "temp".
_ALIKE = {
    "temp": "temperature temperatur temperatura temperatuur tmp t tc celsius fahrenheit",
    "humidity": "hum humi humid humidite humedad umidita umidade rh rf rv hr feuchte feuchtigkeit luftfeuchte "
    "vochtigheid",
    "ec": "conductivity cond conductance conductividad conductivite condutividade leitfahigkeit leitfaehigkeit "
    "leitwert ce",
    "air": "ambient ambiant ambiante ambiente room indoor inside house greenhouse tent luft raum lucht aire canopy",
    "water": "nutrient solution reservoir res tank liquid h2o wasser eau agua acqua sump root",
    "tds": "ppm",
    "time": "zeit uhrzeit tijd heure hora ora",
    "timestamp": "ts zeitstempel zeitpunkt horodatage epoch unixtime",
    "date": "datum fecha",
    # Says nothing.
    "": "sensor probe value reading current measured level meter avg mean wert de del du of the l d y relative "
    "relativa relativo relatieve",
    # The name is not that of the measured quantity.
    "!": "target set setpoint sp min max raw voltage volt volts mv v alarm status state calibration cal low high limit "
    "threshold soil outdoor outside out exterior std stdev stddev count forecast delta error offset slope adc quality "
    "lux light battery dew dpt vpd co2 pressure absolute heat index feels wind rain unit units quantity",
}
_NOISE, _NOT_MEASURED = (frozenset(_ALIKE.pop(kind).split()) for kind in ("", "!"))
_SAME_WORD = {word: kind for kind, words in _ALIKE.items() for word in words.split()}
_PHRASES: dict[str, tuple[tuple[str, ...], ...]] = {
    "ph_level": (("ph",),),
    "tds_level": (("tds",), ("total", "dissolved", "solids"), ("dissolved", "solids")),
    "ec_level": (("ec",), ("electrical", "ec"), ("electric", "ec")),
    "air_temperature": (("air", "temp"), ("dht", "temp"), ("dht22", "temp"), ("temp", "air"), ("dht11", "temp")),
    "air_humidity": (
        ("humidity",), ("air", "humidity"), ("dht", "humidity"), ("humidity", "air"), ("dht22", "humidity"),
        ("dht11", "humidity"),
    ),
    "water_temperature": (("water", "temp"), ("temp", "water"), ("ds18b20", "temp"), ("ds18b20",), ("ec", "temp")),
    "water_level": (("water", "level"),),
    "system_id": (("system", "id"), ("system",)),
    "reading_id": (("id",), ("entry", "id"), ("reading", "id"), ("record",), ("row", "id")),
}  # fmt: skip
_NUMBER = re.compile(r"\d+|0x[\da-f]+")  # of a probe, a place or a serial
_TIMES = (
    "timestamp", "date time", "datetime", "time stamp", "timestamp key", "date time utc", "time", "created at",
    "recorded at", "measured at", "logged at", "last changed", "last updated", "created", "recorded", "sample time",
    "reading time", "observed at", "date",
)  # fmt: skip
_UNIT_WORDS = {
    tuple(text.split())
    for text in ("us cm", "ms cm", "ds m", "mg l", "g l", "deg c", "deg f", "c", "f", "celsius", "fahrenheit", "degc",
                 "degf", "pct", "percent", "ppm")
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A header or series name taken apart.

    Attributes:
        text: as written.
        words: lower case, made alike, without its unit.
        unit: the unit in it, as written, or None.
    """

    text: str
    words: tuple[str, ...]
    unit: str | None

    def matches(self) -> tuple[str, bool] | None:
        """(Gold column, whether the whole name says so); None where it names no measured quantity plainly."""
        words = self.words
        for column, code, _ in ACTUATORS:
            if "_".join(words) in (code.lower(), column):
                return column, True
        if set(words) & _NOT_MEASURED:
            return None
        for column, phrases in _PHRASES.items():
            if words in phrases or "_".join(words) == column:
                return column, True
        bare = self._bare
        for column, phrases in _PHRASES.items():
            if bare in phrases:
                return column, not any(_NUMBER.fullmatch(w) for w in words)
        ends = [
            (len(phrase), column)
            for column, phrases in _PHRASES.items()
            for phrase in phrases
            if column in SENSOR and bare[-len(phrase) :] == phrase
        ]
        return (max(ends)[1], False) if ends else None

    @property
    def _bare(self) -> tuple[str, ...]:
        return tuple(w for w in self.words if w not in _NOISE and not _NUMBER.fullmatch(w))

    @property
    def is_temperature(self) -> bool:
        """Whether it is a temperature that does not say of what."""
        unit = unit_of(self.unit) if self.unit else None
        named = self._bare[-1:] == ("temp",) or (not self._bare and unit is not None and fits(unit, "air_temperature"))
        return named and not set(self.words) & _NOT_MEASURED and self.matches() is None

    @property
    def time_rank(self) -> int | None:
        """Place among the names of a time, None for other names."""
        text = re.sub(r" (?:(?:utc|gmt)\b.*|[mun]s)$", "", " ".join(w for w in self.words if w not in _NOISE))
        return _TIMES.index(text) if text in _TIMES else None

    def may_be(self, column: str) -> bool:
        """Whether a word of the name, or its unit, speaks for the column: enough for a proposal."""
        heads = {phrase[-1] for phrase in _PHRASES.get(column, ())} - {"air", "water"}
        named = any(word.rstrip("0123456789") in heads for word in self.words)
        unit = unit_of(self.unit) if self.unit else None
        return named or (column in SENSOR and unit is not None and fits(unit, column))


def name_of(text: str) -> Name:
    """Take a header apart: `EC (µS/cm)`, `Temp, °F (LGR S/N: 1)`, `water_temp_c`, `sensor.tank_ph`."""
    rest, unit = text.strip(), None
    for pattern in (
        r",\s*([^,()\[\]]+?)\s*(?:[(\[].*)?$",
        r"[(\[]\s*([^()\[\]]*?)\s*[)\]]",
        r"\s(\S+)$",
        r"/(\S+)$",
        r"(%)$",
    ):
        found = re.search(pattern, rest)
        if found and is_unit(found[1]) and found.start() > 0 and (found[1].lower() not in ("ph", "ec", "c", "k", "rh")
                                                                 or pattern.startswith((",", "[("))):  # fmt: skip
            unit = found[1]
            rest = rest[: found.start()] + " " + (rest[found.end() :] if not pattern.startswith(",") else "")
            break
    else:
        rest = re.sub(r"[(\[].*?[)\]]", " ", rest) if re.search(r"^[^(\[]*\w", rest) else rest
    words = _words(rest)
    if unit is None:
        for size in (2, 1):
            tail = words[-size:]
            if len(words) > size and tail in _UNIT_WORDS:
                unit, words = {1: tail[0], 2: "/".join(tail).replace("deg/", "deg")}[size], words[:-size]
                break
    return Name(text, tuple(_SAME_WORD.get(w, w) for w in words), unit)


def _words(text: str) -> tuple[str, ...]:
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"%\s*r\.?[hf]\b", " humidity ", text, flags=re.IGNORECASE)
    text = re.sub(r"^(?:binary_)?sensor\.|^input_number\.|^switch\.", "", text.strip())
    text = "id" if text.strip() == "#" else text
    text = re.sub(r"p[hH](?![a-z])|PH(?![a-zA-Z])", " ph ", text)
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    text = re.sub(r"(luft|lucht|raum|wasser|water|air)(?=temp|feucht|vocht|humid)", r"\1 ", text, flags=re.IGNORECASE)
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


def quantity(name: str) -> str | None:
    """The Gold column that the left side of `--map` names."""
    plain = {**{k.casefold(): v for k, v in QUANTITIES.items()}, **{v: v for v in QUANTITIES.values()}}
    found = plain.get(name.strip().casefold().replace(" ", "_"))
    if found is None and (match := name_of(name).matches()) is not None and match[1]:
        return match[0]
    return found or (TIME if name.strip().casefold() in ("time", "datetime") else None)


def found_columns(names: Sequence[Name]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """(Gold column -> position of the one name that says it, Gold column -> positions of several that do)."""
    whole: dict[str, list[int]] = {}
    ends: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        if match := name.matches():
            (whole if match[1] else ends).setdefault(match[0], []).append(i)
    candidates = {**ends, **whole}
    bare = [i for i, name in enumerate(names) if name.is_temperature]
    if "air_humidity" in candidates and "air_temperature" not in candidates and bare:
        candidates["air_temperature"] = bare  # one instrument reads both
    candidates = {column: _of_one_quantity(names, places, column) for column, places in candidates.items()}
    return (
        {column: places[0] for column, places in candidates.items() if len(places) == 1},
        {column: places for column, places in candidates.items() if len(places) > 1},
    )


def _of_one_quantity(names: Sequence[Name], places: list[int], column: str) -> list[int]:
    """`places` without the same quantity in other units: of `temp_f` and `temp_c` Gold's own unit is taken."""
    own = [i for i in places if (unit := names[i].unit) and unit_of(unit) == GOLD_UNIT.get(column)]
    return own if len(own) == 1 and len({names[i].words for i in places}) == 1 else places


def time_positions(names: Sequence[Name]) -> list[int]:
    """Positions of names of a time, the likeliest first."""
    ranked = [(rank, i) for i, n in enumerate(names) if (rank := n.time_rank) is not None]
    return [i for _, i in sorted(ranked)]


def proposals(
    names: Iterable[tuple[str, float | None]], taken: Iterable[str], usual: dict[str, tuple[float, float]]
) -> dict[str, str]:
    """Quantity -> name, for `--map`: from words and units first, then from the middle value of the column."""
    taken = set(taken)
    free = [c for c in SENSOR if c not in taken]
    left = list(names)
    if taken & {"ph_level", "ec_level", "tds_level"} and "air_humidity" in free:
        free.sort(key=lambda c: c == "air_temperature")  # a thermometer beside pH and EC alone hangs in the water
    chosen: dict[str, str] = {}
    for by_value in (False, True):
        for column in list(free):
            if by_value and column == "ec_level" and "TDS" in chosen:
                continue
            for text, median in left:
                name = name_of(text)
                low, high = usual.get(column, (1.0, 0.0))
                in_range = median is not None and low <= median <= high
                if set(name.words) & _NOT_MEASURED:
                    continue
                if in_range if by_value else name.may_be(column):
                    chosen[HEADER_OF[column]] = text
                    left.remove((text, median))
                    free.remove(column)
                    break
    return chosen


def map_text(pairs: dict[str, str]) -> str:
    """`--map` options as they are typed."""
    joined = ",".join(f"{k}={v}" for k, v in pairs.items())
    if all(re.fullmatch(r"[\w.\-]+", v) for v in pairs.values()):
        return f"--map {joined}"
    return " ".join(f'--map "{k}={v}"' for k, v in pairs.items())
