/** `gpu_utilization` -> `gpuUtilization`: names of GraphQL follow from those of JSON. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `gpu_utilization` -> `GpuUtilization`: the part of a type's name that comes from a field's. */
export function pascalCase(name: string): string {
  return camelCase(name).replace(/^./, (first) => first.toUpperCase());
}
