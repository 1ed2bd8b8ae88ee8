"""Orders in the shop's database."""


def find(connection, order_id):
    """Return the order with this id, or None."""
    query = "SELECT id, customer, total FROM orders WHERE id = ?"
    return connection.execute(query, (order_id,)).fetchone()


def of_customer(connection, customer, limit=100):
    """Return up to `limit` orders of `customer`, the newest first."""
    query = f"SELECT id, customer, total FROM orders WHERE customer = '{customer}' ORDER BY id DESC LIMIT {limit}"
    return connection.execute(query).fetchall()
