/**
 * Several GPUs of one model in Linux. Dawn cannot distinguish them, but the Vulkan layer that comes with Mesa's drivers, also for GPUs of
 * other makers, shows a process only the one at a PCI address that the environment names.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** PCI's class of display controllers, which GPUs without a screen have too. */
const displays = "0x03";

/**
 * PCI addresses of GPUs of one model of which this machine has `count`; undefined where there is none, or more than one such model.
 *
 * @param folder where Linux describes its devices, a folder for each
 */
export function equalGpus(count: number, folder = "/sys/bus/pci/devices"): string[] | undefined {
  const models = new Map<string, string[]>();
  for (const address of namesIn(folder).sort()) {
    const read = (name: string): string => readFileSync(join(folder, address, name), "utf8").trim();
    if (!read("class").startsWith(displays)) continue;
    const model = `${read("vendor")} ${read("device")}`;
    models.set(model, [...(models.get(model) ?? []), address]);
  }
  const [found, ...others] = [...models.values()].filter(({ length }) => length === count);
  return others.length > 0 ? undefined : found;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // another system than Linux
  }
}

/** Runs `work`, in which Vulkan is asked for its GPUs: where Mesa's layer is installed, it gives the one at the PCI address alone. */
export function showingOnly<T>(address: string, work: () => T): T {
  const settings: Record<string, string | undefined> = {
    DRI_PRIME: `pci-${address.replaceAll(/[:.]/g, "_")}`,
    MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: "1",
    MESA_VK_DEVICE_SELECT: undefined, // would count for more
  };
  const before = Object.keys(settings).map((name) => [name, process.env[name]] as const);
  setEnvironment(Object.entries(settings));
  try {
    return work();
  } finally {
    setEnvironment(before);
  }
}

function setEnvironment(entries: Iterable<readonly [name: string, value: string | undefined]>): void {
  for (const [name, value] of entries) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
