"""Export of orders for the bookkeeping."""

import csv


def export(orders, path):
    """Write `orders` as CSV to `path`."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        for order in orders:
            writer.writerow([order.id, order.customer, order.total])
