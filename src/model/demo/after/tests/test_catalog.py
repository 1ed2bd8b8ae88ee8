from shop.catalog import page, page_count


def test_an_empty_catalogue_has_no_pages():
    assert page([], 1) == []
    assert page_count([]) == 0


def test_a_page_that_is_not_full_counts():
    assert page_count(range(21)) == 2
