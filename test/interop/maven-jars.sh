#!/bin/sh
# Fetches what a pinned engine needs from Maven Central: `maven-jars.sh NAME VERSION`, with its <dependency> elements on standard input.
# Prints the folder with the jars; what is there already is not fetched again. Needs Maven.
set -eu
name=$1
version=$2
folder=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
jars=$folder/$name-$version
if [ ! -d "$jars" ]; then
  mkdir -p "$folder"
  building=$(mktemp -d "$folder/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  {
    cat <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mailsluice</groupId>
  <artifactId>$name</artifactId>
  <version>1</version>
  <dependencies>
POM
    cat
    echo '  </dependencies>'
    echo '</project>'
  } >"$building/pom.xml"
  (cd "$building" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$building/jars") >&2
  mv "$building/jars" "$jars"
fi
echo "$jars"
