"""Each event's stock follows from the previous one, and is never negative."""

from typing import Final

from faults.evidence import Evidence

_SIGN: Final = {"product.restocked": 1, "product.released": 1, "product.reserved": -1}


def never_oversold(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for subject, records in evidence.by_subject.items():
        if records[0].type != "product.added":
            continue
        stock: int = evidence.data(records[0])["stock"]
        for record in records[1:]:
            data = evidence.data(record)
            stock += _SIGN.get(record.type, 0) * data.get("quantity", 0)
            if data.get("stock", stock) != stock:
                found.append(f"{subject} version {data['version']}: {data['stock']}, not {stock}")
                stock = data["stock"]
            if stock < 0:
                found.append(f"{subject} version {data['version']}: oversold, stock {stock}")
        row = evidence.rows.get(subject)
        if row is not None and row.stock != stock:
            found.append(f"{subject}: the row has a stock of {row.stock}, the event log {stock}")
    return found
