"""Groups of classes by what tells them apart, as a data set's parameters have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Groups = Mapping[str, Sequence[str]]


def spelled(groups: Groups, classes: Iterable[str]) -> dict[str, list[str]]:
    """Groups with class names as the data set's copy spells them, matched whatever their case.

    Copies of UCF101 differ in HandstandPushups (`csvr.data.layouts`). A name that the copy has not stays as it is.
    """
    names = {name.lower(): name for name in classes}
    return {group: [names.get(name.lower(), name) for name in members] for group, members in groups.items()}


def group_of(groups: Groups) -> dict[str, str]:
    """The group of each class that is in one."""
    return {name: group for group, members in groups.items() for name in members}


def ordered(groups: Groups, classes: Iterable[str]) -> list[str]:
    """Classes group by group, those of no group last, in their own order."""
    every = list(classes)
    return [name for name in dict.fromkeys([*group_of(groups), *every]) if name in every]
