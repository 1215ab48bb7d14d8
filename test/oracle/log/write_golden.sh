#!/bin/sh
# Makes test/golden/log anew with the classes of Apache Kafka in .cache (docs: test/oracle). Needs a JDK 17.
set -eu
cd "$(dirname "$0")/../../.."
libs='.cache/kafka-4.3.1/libs/*'
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -cp "$libs" -d "$classes" test/oracle/log/WriteSegments.java
rm -rf test/golden/log/kafka-0
java -cp "$classes:$libs" org.apache.kafka.storage.internals.log.WriteSegments test/golden/log/kafka-0
