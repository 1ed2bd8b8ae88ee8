"""The catalogue of the shop, page by page."""

PAGE_SIZE = 20


def page(items, number, size=PAGE_SIZE):
    """Return page `number` of `items`; the first page is number 1."""
    start = (number - 1) * size
    return items[start : start + size]


def titles(items):
    """Return the titles of `items` in their order."""
    return [item.title for item in items]
