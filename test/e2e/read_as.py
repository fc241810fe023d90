"""Reads a topic to its end as a consumer that was built with an older schema: with Confluent's AvroDeserializer and that reader's schema.

usage: read_as.py BROKERS REGISTRY TOPIC READER

READER is a file with the schema of values. Prints a JSON array of the messages that have one, in order of their partitions: `op`, `before`, `after`.
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


def main(brokers, registry, topic, reader):
    with open(reader, encoding="utf-8") as file:
        deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}), schema_str=file.read())
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "built-long-ago",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    read = []
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        unread = set(partitions)
        while unread:
            for message in consumer.consume(1000, timeout=0.5):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                elif error is not None:
                    sys.exit(f"{topic}: {error}")
                elif message.value() is not None:
                    value = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
                    read.append({name: value[name] for name in ("op", "before", "after")})
    finally:
        consumer.close()
    json.dump(read, sys.stdout)


main(*sys.argv[1:])
