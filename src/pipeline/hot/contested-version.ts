/** The version of a state or record of the hot tier. */
interface Versioned {
  readonly contestedVersion?: number;
}

/** Compares the versions of two states or records of one GPU: one without a version is older than all versions.
 *  @returns 0 if they have the same version, or both have none; then both hold */
export function compareVersions(a: Versioned, b: Versioned): number {
  return (a.contestedVersion ?? -1) - (b.contestedVersion ?? -1);
}

/** The version as a property of an object; no property if there is none. */
export function versionOf({ contestedVersion }: Versioned): Versioned {
  return contestedVersion === undefined ? {} : { contestedVersion };
}
