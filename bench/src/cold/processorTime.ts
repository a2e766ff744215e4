/** Processor time of this process so far, in milliseconds: compilers of software adapters run in it, on other threads. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
