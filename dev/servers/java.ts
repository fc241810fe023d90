import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from './debian.ts';
import { run } from './process.ts';

/** Something that Maven can fetch: group:artifact:version, and type:classifier for what is not a jar. */
export type Coordinates = `${string}:${string}:${string}`;

/** The Java that runs Kafka and the registry; installed where that can be done. */
export async function java(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  return await program('java', 'default-jre-headless', home === undefined ? [] : [join(home, 'bin')]);
}

/** Fetches artifacts, with what they depend on if `transitive`, into a directory, as Maven is configured on this machine. */
export async function mavenCopy(wanted: readonly Coordinates[], transitive: boolean, directory: string): Promise<void> {
  const mvn = await program('mvn', 'maven');
  const work = join(directory, 'maven');
  await mkdir(work);
  await writeFile(join(work, 'pom.xml'), projectOf(wanted, transitive));
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${directory}`];
  await run([mvn, '-q', '-B', '-f', join(work, 'pom.xml'), ...goal]);
  await rm(work, { recursive: true });
}

function projectOf(wanted: readonly Coordinates[], transitive: boolean): string {
  const nothingElse = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = wanted.map((coordinates) => {
    const [group, artifact, version, type = 'jar', classifier = ''] = coordinates.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>
      <type>${type}</type><classifier>${classifier}</classifier>${transitive ? '' : nothingElse}</dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion><groupId>lockstep</groupId><artifactId>servers</artifactId>
    <version>1</version><dependencies>${dependencies.join('\n')}</dependencies></project>`;
}
