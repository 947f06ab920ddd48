/** Words with their links; never markup. */
import type { ComponentChildren } from 'preact'

const LINK = /\[([^\]\n]{1,200})\]\(((?:https?:\/\/|mailto:|tel:)[^\s()]{1,2000})\)|((?:https?:\/\/|mailto:)[^\s<>"]{1,2000})/g

/** Return the address of a link that may be opened, undefined for all others. */
export function safe(url: string | null | undefined): string | undefined {
  return /^(https?:\/\/|mailto:|tel:|\/)/i.test(url ?? '') ? (url as string) : undefined
}

export function Outside({ url, children, ...more }: { url?: string | null; children: ComponentChildren; class?: string; download?: boolean }) {
  return <a href={safe(url)} target="_blank" rel="noopener noreferrer nofollow" {...more}>{children}</a>
}

/** Show a text; "[label](https://…)" and bare addresses become links, everything else stays as it was written. */
export function Text({ text }: { text: string }) {
  const parts: ComponentChildren[] = []
  let end = 0
  for (const found of text.matchAll(LINK)) {
    const [whole, label, target, bare] = found
    // A full stop or a bracket after an address belongs to the sentence.
    const url = target ?? (bare as string).replace(/[.,;:!?)\]}'\u3001\u3002\uff0c\uff01\uff1f]+$/, '')
    parts.push(text.slice(end, found.index), <Outside url={url}>{label ?? url}</Outside>)
    end = found.index + (target ? whole.length : url.length)
  }
  return <>{parts}{text.slice(end)}</>
}
