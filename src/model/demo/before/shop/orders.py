"""Orders in the shop's database."""


def find(connection, order_id):
    """Return the order with this id, or None."""
    query = "SELECT id, customer, total FROM orders WHERE id = ?"
    return connection.execute(query, (order_id,)).fetchone()


def of_customer(connection, customer):
    """Return all orders of `customer`, the newest first."""
    query = "SELECT id, customer, total FROM orders WHERE customer = ? ORDER BY id DESC"
    return connection.execute(query, (customer,)).fetchall()
