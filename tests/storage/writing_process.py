"""A process that places orders in a database: path, prefix of the names, how many, and whose order numbers."""

import asyncio
import sys
from dataclasses import replace

from conftest import Make

from storage import open_storage
from storage.commands import Placed


async def main(path: str, prefix: str, count: int, numbers: str) -> None:
    storage = await open_storage(path)
    make = Make()
    pending = iter(range(count))

    async def place() -> None:
        for n in pending:
            template = make.order(
                transaction=f"{prefix}-{n}", number=f"N-{n}" if numbers == "shared" else None, items=("ITEM-1",) * 2
            )
            ticket = replace(
                template.ticket,
                ticket_id=f"{prefix}-{template.ticket.ticket_id}",
                lookup=prefix.encode() + template.ticket.lookup,
            )
            order = replace(template.order, order_id=f"{prefix}-{template.order.order_id}", ticket_id=ticket.ticket_id)
            licenses = tuple(
                replace(
                    line,
                    license_id=f"{prefix}-{line.license_id}",
                    order_id=order.order_id,
                    ticket_id=ticket.ticket_id,
                )
                for line in template.licenses
            )
            command = replace(template, order=order, ticket=ticket, licenses=licenses)
            if await storage.execute(command) == Placed():
                line = f"{order.transaction_id} {order.order_id} {','.join(line.license_id for line in licenses)}\n"
                sys.stdout.write(line)
                sys.stdout.flush()

    await asyncio.gather(*(place() for _ in range(8)))
    await storage.close()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
