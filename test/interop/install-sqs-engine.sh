#!/bin/sh
# Fetches ElasticMQ (Apache-2.0) for test/interop/sqs.interop.ts: an SQS server that others wrote. Pinned, with all that it needs, from Maven
# Central. Needs Maven, and Java 11 or newer to run it. Prints the folder with the jars.
set -eu
version=1.7.1
folder=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
jars=$folder/elasticmq-$version
if [ ! -d "$jars" ]; then
  mkdir -p "$folder"
  building=$(mktemp -d "$folder/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  cat >"$building/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mailsluice</groupId>
  <artifactId>elasticmq</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
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
