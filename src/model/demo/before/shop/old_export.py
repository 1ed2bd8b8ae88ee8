"""Export in the format of the old bookkeeping, which nobody reads any more."""


def export_fixed_width(orders):
    """Return `orders` as lines of fixed width."""
    return [f"{order.id:>8}{order.customer:<30}{order.total:>12}" for order in orders]
