/** `T`, in which each property that may be undefined is optional instead. */
type Defined<T> = { [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name] } & {
  [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined>;
};

/** Leaves out the properties that are undefined: with the compiler's option exactOptionalPropertyTypes, an optional property
 *  may be absent, but not `undefined`. */
export function defined<T extends object>(properties: T): Defined<T> {
  const found: Partial<T> = {};
  for (const name in properties) if (properties[name] !== undefined) found[name] = properties[name];
  return found as unknown as Defined<T>;
}
