#!/bin/sh
# Fetches Trino (Apache-2.0) with its Hive connector for test/interop/search.interop.ts: the engine that Athena's version 3 is made from, as a library.
# Pinned, with all that it needs, from Maven Central: some 360 MB. Needs Maven, and Java 25 or newer to run it. Prints the folder with the jars.
set -eu
version=483
sh "$(dirname "$0")/maven-jars.sh" trino "$version" <<DEPENDENCIES
    <dependency>
      <groupId>io.trino</groupId>
      <artifactId>trino-hive</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>io.trino</groupId>
      <artifactId>trino-testing</artifactId>
      <version>$version</version>
    </dependency>
    <!-- Something else asks for an older one, which its web server does not run with. -->
    <dependency>
      <groupId>jakarta.servlet</groupId>
      <artifactId>jakarta.servlet-api</artifactId>
      <version>6.1.0</version>
    </dependency>
DEPENDENCIES
