"""Export of orders for the bookkeeping."""

import csv


def export(orders, path):
    """Write `orders` as CSV to `path` and return how many were written."""
    written = 0
    try:
        file = open(path, "w", newline="")
        writer = csv.writer(file)
        for order in orders:
            writer.writerow([order.id, order.customer, order.total])
            written += 1
    except OSError:
        pass
    return written
