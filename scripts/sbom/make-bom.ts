import { Contrib, Enums, Models, Serialize, Spec, Validation } from "@cyclonedx/cyclonedx-library";
import parse from "spdx-expression-parse";
import type { LockedPackage, LockedPackages } from "./read-lock.ts";

const licences = new Contrib.License.Factories.LicenseFactory(parse);
const spec = Spec.Spec1dot6;

/** The program that the bill is for. */
export interface Product {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** A bill of materials: CycloneDX 1.6 as JSON, with the same text for the same bun.lock and packages. */
export function makeBom(product: Product, { packages, direct }: LockedPackages): string {
  const root = new Models.Component(Enums.ComponentType.Application, product.name, {
    ...{ bomRef: product.name, version: product.version },
  });
  root.licenses.add(licences.makeFromString(product.license));
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: root }) });
  const components = new Map(packages.map((each) => [each.key, componentOf(each)]));
  const connect = (from: Models.Component, keys: readonly string[]): void => {
    for (const key of keys) {
      const to = components.get(key);
      if (to !== undefined) from.dependencies.add(to.bomRef);
    }
  };
  connect(root, direct);
  for (const { key, dependencies } of packages) {
    const component = components.get(key);
    if (component === undefined) continue;
    bom.components.add(component);
    connect(component, dependencies);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(spec));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Checks a bill against the schema of CycloneDX. @returns undefined if it is valid */
export async function bomProblem(text: string): Promise<string | undefined> {
  const error: unknown = await new Validation.JsonStrictValidator(spec.version).validate(text);
  return error === null ? undefined : JSON.stringify(error).slice(0, 2000);
}

function componentOf({ key, name, version, integrity, isShipped, manifest }: LockedPackage): Models.Component {
  const [group, rest] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const scope = isShipped ? Enums.ComponentScope.Required : Enums.ComponentScope.Excluded;
  const component = new Models.Component(Enums.ComponentType.Library, rest ?? name, {
    ...(group === undefined ? {} : { group }),
    bomRef: key,
    version,
    scope: manifest === undefined && isShipped ? Enums.ComponentScope.Optional : scope,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  });
  component.hashes.set(
    Enums.HashAlgorithm["SHA-512"],
    Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex"),
  );
  if (typeof manifest?.license === "string") component.licenses.add(licences.makeFromString(manifest.license));
  return component;
}
