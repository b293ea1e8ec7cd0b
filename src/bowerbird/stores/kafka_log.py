"""Kafka: the event stream of a fleet. What is published was acknowledged by every in-sync replica."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bowerbird.errors import StorageError
from bowerbird.extras import needed
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.event_stream import Forgotten, belongs
from bowerbird.stores.event_wire import event_lines, events_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer

WAIT_S = 10.0
"""How long a publish waits for acknowledgements, and a read for an answer."""


class KafkaStream:
    """A topic of events, keyed by person, so that one person's events stay in one partition, in order.

    A position is the next offset of each partition, as JSON; it belongs to whoever reads, not to a Kafka
    group, so that it can move together with the state it led to.

    Args:
        servers: ``host:port`` of brokers, comma-separated.
        topic: the topic; the broker makes it or it exists.
        options: more settings for the clients (security, for one).

    Raises:
        MissingDependencyError: the client is not installed.
    """

    def __init__(
        self, servers: str, topic: str = "bowerbird-events", options: dict[str, Any] | None = None
    ) -> None:
        kafka = needed("confluent_kafka", "kafka", "Kafka")
        shared = {"bootstrap.servers": servers, **(options or {})}
        self._topic = topic
        self._producer: Producer = kafka.Producer(
            {**shared, "enable.idempotence": True, "acks": "all", "linger.ms": 5}
        )
        self._consumer: Consumer = kafka.Consumer(
            {**shared, "group.id": "bowerbird", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._producer.flush(WAIT_S)
        self._consumer.close()

    def publish(self, events: Events) -> int:
        """Add events; on return every one was acknowledged.

        Raises:
            StorageError: some were not. Sending the batch again is safe: readers keep each event once.
        """
        failed: list[str] = []

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(str(error))

        lines, people = event_lines(events), events.table.column("user_id").to_pylist()
        for user_id, line in zip(people, lines, strict=True):
            while True:
                try:
                    self._producer.produce(self._topic, line, key=user_id.encode(), on_delivery=delivered)
                    break
                except BufferError:  # the local queue is full: let deliveries through
                    self._producer.poll(0.1)
        waiting = self._producer.flush(WAIT_S)
        if failed or waiting:
            reason = failed[0] if failed else f"no answer within {WAIT_S:.0f} s"
            raise StorageError(
                f"Kafka topic {self._topic}: {len(failed) + waiting} of {len(lines)} events were not acknowledged "
                f"({reason}); send the batch again"
            )
        return len(lines)

    def read(self, position: str, most: int = 10_000) -> tuple[Events, str]:
        """What arrived after a position, from every partition.

        Raises:
            StorageError: the brokers do not answer.
        """
        from confluent_kafka import TopicPartition

        offsets: dict[str, int] = json.loads(position) if position else {}
        ends = self._ends()
        behind = [
            TopicPartition(self._topic, number, offsets.get(str(number), first))
            for number, (first, end) in ends.items()
            if offsets.get(str(number), first) < end
        ]
        wanted = min(most, sum(ends[one.partition][1] - one.offset for one in behind))
        if not wanted:
            return Events(EVENT_SCHEMA.empty_table()), position
        self._consumer.assign(behind)
        lines: list[bytes] = []
        while len(lines) < wanted:
            messages = self._consumer.consume(wanted - len(lines), WAIT_S)
            if not messages:
                raise StorageError(f"Kafka topic {self._topic}: no answer within {WAIT_S:.0f} s; try again")
            for message in messages:
                if message.error() is not None:
                    raise StorageError(f"Kafka topic {self._topic}: {message.error()}; try again")
                lines.append(message.value() or b"")
                offsets[str(message.partition())] = (message.offset() or 0) + 1
        self._consumer.unassign()
        return events_of(lines), json.dumps(offsets, sort_keys=True)

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> Forgotten:
        """Count what the topic still holds: Kafka takes no single record out, its retention does.

        Raises:
            StorageError: the brokers do not answer.
        """
        found, position = 0, ""
        while True:
            events, after = self.read(position)
            if after == position:
                return Forgotten(remaining=found)
            position = after
            rows = events.table.select(["user_id", "item_id"]).to_pylist()
            found += sum(belongs(row, user_id, item_id) for row in rows)

    def trim(self, position: str, before: int) -> int:
        """Nothing: the topic's own retention (``retention.ms``) says how long it keeps."""
        return 0

    def _ends(self) -> dict[int, tuple[int, int]]:
        """The first offset and the one after the last, per partition."""
        from confluent_kafka import KafkaException, TopicPartition

        try:
            topic = self._consumer.list_topics(self._topic, timeout=WAIT_S).topics[self._topic]
            return {
                number: self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, number), timeout=WAIT_S
                )
                for number in topic.partitions
            }
        except KafkaException as error:
            raise StorageError(
                f"Kafka topic {self._topic}: {error}; check the brokers and try again"
            ) from error
