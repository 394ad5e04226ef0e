import type { KubernetesObject } from "./render-chart.ts";

/** The kinds of each API, as classes. */
const models: Readonly<Record<string, () => Promise<object>>> = {
  v1: () => import("kubernetes-models/v1"),
  "apps/v1": () => import("kubernetes-models/apps/v1"),
  "autoscaling/v2": () => import("kubernetes-models/autoscaling/v2"),
  "batch/v1": () => import("kubernetes-models/batch/v1"),
  "networking.k8s.io/v1": () => import("kubernetes-models/networking.k8s.io/v1"),
  "policy/v1": () => import("kubernetes-models/policy/v1"),
  "rbac.authorization.k8s.io/v1": () => import("kubernetes-models/rbac.authorization.k8s.io/v1"),
  "gateway.networking.k8s.io/v1": () => import("@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1"),
  "keda.sh/v1alpha1": () => import("@kubernetes-models/keda/keda.sh/v1alpha1"),
  "monitoring.coreos.com/v1": () => import("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1"),
};

/** A class of kubernetes-models. Its method checks the object that it is called on. */
type Model = new () => { validate(): void };

/** What is wrong with an object: with its values by the validators of kubernetes-models, which let every key pass; and with its keys.
 *  A validator looks at each key that it knows, so a key that it has not looked at is unknown. */
export async function problemsOf(object: KubernetesObject): Promise<string[]> {
  const model = await modelOf(object);
  const unread = new Map<string, ReadonlySet<string>>();
  const watched = watch(object, "", unread);
  try {
    model.prototype.validate.call(watched);
  } catch (error) {
    return [(error as Error).message];
  }
  return [...unread].flatMap(([path, keys]) => [...keys].map((key) => `unknown key ${path}/${key}`));
}

async function modelOf({ apiVersion, kind }: KubernetesObject): Promise<{ readonly prototype: InstanceType<Model> }> {
  const kinds = (await models[apiVersion]?.()) as Readonly<Record<string, Model>> | undefined;
  const model = kinds?.[kind];
  if (model === undefined) throw new Error(`${apiVersion} has no ${kind}`);
  return model;
}

/** A view of an object that removes the keys that are read from `unread`. */
function watch(value: unknown, path: string, unread: Map<string, ReadonlySet<string>>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const children = new Map<PropertyKey, unknown>();
  const left = new Set(Array.isArray(value) ? [] : Object.keys(value));
  unread.set(path, left);
  return new Proxy(value, {
    get(target, key) {
      left.delete(key as string);
      if (!Object.hasOwn(target, key)) return Reflect.get(target, key) as unknown;
      if (!children.has(key)) children.set(key, watch(Reflect.get(target, key), `${path}/${String(key)}`, unread));
      return children.get(key);
    },
  });
}
