interface Policy { createScriptURL: (address: string) => string }
interface Factory { createPolicy: (name: string, rules: Policy) => Policy }

/** Our one worker, said to be harmless: under trusted types nothing else may be made an address of code. */
function workerAddress(): string {
  const address = `${import.meta.env.BASE_URL}sw.js`
  const factory = (window as { trustedTypes?: Factory }).trustedTypes
  return factory ? factory.createPolicy('trunkline-worker', { createScriptURL: () => address }).createScriptURL(address) : address
}

/** Makes the app installable. The worker gives a page when there is no network, and keeps no answer of the API. */
export function registerWorker(): void {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return
  // Without it everything works but the page without a network; a browser may forbid it for its own reasons.
  navigator.serviceWorker.register(workerAddress(), { scope: import.meta.env.BASE_URL }).catch(() => undefined)
}
