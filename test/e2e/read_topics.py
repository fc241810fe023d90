"""Reads a pipeline's topics to their end with Confluent's own client, as somebody else's consumer would, and says what they hold.

usage: read_topics.py BROKERS REGISTRY PREFIX [TOPIC]

Takes every topic whose name begins with PREFIX. Prints one JSON object: by topic `ops` (messages by Debezium's op), `tombstones`,
and `rows`: how many rows are there once all is applied. Of TOPIC also `values`: each row's columns as `type text`, by the key's text.
"""

import json
import sys
import time
from collections import Counter

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

WITHIN_SECONDS = 60


class Table:
    """The rows of one topic, kept by partition: a truncate comes once in each and empties what came before it there."""

    def __init__(self):
        self.ops = Counter()
        self.tombstones = 0
        self.keyed = {}
        self.keyless = Counter()

    def apply(self, partition, key, value):
        if value is None:
            self.tombstones += 1
            self.keyed.get(partition, {}).pop(text_of(key), None)
            return
        op = value["op"]
        self.ops[op] += 1
        if op == "t":
            self.keyed[partition] = {}
            self.keyless[partition] = 0
        elif op == "m":
            pass
        elif key is None:
            self.keyless[partition] += {"r": 1, "c": 1, "u": 0, "d": -1}[op]
        elif op == "d":
            self.keyed.get(partition, {}).pop(text_of(key), None)
        else:
            self.keyed.setdefault(partition, {})[text_of(key)] = value["after"]

    def rows(self):
        return sum(map(len, self.keyed.values())) + sum(self.keyless.values())

    def values(self):
        return {
            key: {name: described(value) for name, value in row.items()}
            for rows in self.keyed.values()
            for key, row in rows.items()
        }


def text_of(key):
    return ", ".join(str(described(value)) for value in key.values())


def described(value):
    """The Python type and the value, so that nothing is lost on the way through JSON."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: described(inner) for name, inner in value.items()}
    return f"{type(value).__name__} {value.hex() if isinstance(value, bytes) else value}"


def partitions_of(consumer, prefix):
    topics = consumer.list_topics(timeout=10).topics
    return [
        TopicPartition(topic, partition, OFFSET_BEGINNING)
        for topic, metadata in topics.items()
        if topic.startswith(prefix)
        for partition in metadata.partitions
    ]


def messages(consumer, partitions):
    """Every message, until each partition has come to its end."""
    unread = {(partition.topic, partition.partition) for partition in partitions}
    consumer.assign(partitions)
    deadline = time.monotonic() + WITHIN_SECONDS
    while unread:
        if time.monotonic() > deadline:
            sys.exit(f"not read within {WITHIN_SECONDS} s: {sorted(unread)}")
        for message in consumer.consume(1000, timeout=0.5):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard((message.topic(), message.partition()))
            else:
                sys.exit(f"{message.topic()}: {error}")


def main(brokers, registry, prefix, shown=None):
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "somebody-else",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        partitions = partitions_of(consumer, prefix)
        tables = {partition.topic: Table() for partition in partitions}
        for message in messages(consumer, partitions):
            topic = message.topic()
            key = deserialize(message.key(), SerializationContext(topic, MessageField.KEY))
            value = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
            tables[topic].apply(message.partition(), key, value)
    finally:
        consumer.close()
    result = {
        topic: {
            "ops": table.ops,
            "tombstones": table.tombstones,
            "rows": table.rows(),
            **({"values": table.values()} if topic == shown else {}),
        }
        for topic, table in tables.items()
    }
    json.dump(result, sys.stdout)


main(*sys.argv[1:])
