/** Packages that only describe types, or check them. Others name them as peers, so an installation has them; nothing runs them, and
 *  the image leaves them out. */
const typesOnly = /^(?:typescript|bun-types|undici-types|@types\/.+)$/;

/** True for a package that nothing runs.
 *  @param name such as `typescript` or `@types/node` */
export const isTypesOnly = (name: string): boolean => typesOnly.test(name);
