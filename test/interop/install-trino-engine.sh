#!/bin/sh
# Fetches Trino (Apache-2.0) with its Hive connector for test/interop/search.interop.ts: the engine that Athena's version 3 is made from, as a library.
# Pinned, with all that it needs, from Maven Central: some 360 MB. Needs Maven, and Java 25 or newer to run it. Prints the folder with the jars.
set -eu
version=483
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
  </dependencies>
</project>
POM
  (cd "$building" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$building/jars") >&2
  mv "$building/jars" "$jars"
fi
echo "$jars"
