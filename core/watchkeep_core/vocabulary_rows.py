"""What the rows of vocabulary.toml are made of; the rows themselves are in vocabulary.py and vocabulary_fire.py."""

from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}\Z")]
UnitId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}\Z")]
KindId = Annotated[str, Meta(pattern=r"^([a-z0-9_]{1,64}|\*)\Z")]
Text = Annotated[str, Meta(pattern=r"\S")]
Mark = Annotated[str, Meta(pattern=r"^(S\d{1,3}|R|CP|C)( (S\d{1,3}|R|CP|C))*\Z")]


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Term(Row, frozen=True):
    id: Id
    zh: Text
    en: Text
