#!/bin/sh
# Fetches ElasticMQ (Apache-2.0) for test/interop/sqs.interop.ts: an SQS server that others wrote. Pinned, with all that it needs, from Maven
# Central. Needs Maven, and Java 11 or newer to run it. Prints the folder with the jars.
set -eu
version=1.7.1
sh "$(dirname "$0")/maven-jars.sh" elasticmq "$version" <<DEPENDENCIES
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
      <version>$version</version>
    </dependency>
DEPENDENCIES
