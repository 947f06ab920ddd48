import { watchEffect } from 'vue'

/** The number of unread threads where it is seen from other tabs and windows: the icon of the tab and of the installed app. */
export function useBadge(count: () => number): void {
  watchEffect(() => {
    const unread = count()
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
    if (icon) icon.href = `${import.meta.env.BASE_URL}${unread > 0 ? 'mark-unread.svg' : 'mark.svg'}`
    if ('setAppBadge' in navigator) void navigator.setAppBadge(unread).catch(() => undefined)
  })
}
