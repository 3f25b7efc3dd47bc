#!/bin/sh
# Fetches Trino (Apache-2.0) for test/interop/search.interop.ts: the engine that Athena's version 3 is made from, as a library. Pinned, with all that it
# needs, from Maven Central. Needs Maven, and Java 17 or newer to run it (newer versions of Trino need more). Prints the folder with the jars.
set -eu
version=435
folder=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
jars=$folder/trino-$version
if [ ! -d "$jars" ]; then
  mkdir -p "$folder"
  building=$(mktemp -d "$folder/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  cat >"$building/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mailsluice</groupId>
  <artifactId>trino</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.trino</groupId>
      <artifactId>trino-main</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
  (cd "$building" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$building/jars") >&2
  mv "$building/jars" "$jars"
fi
echo "$jars"
