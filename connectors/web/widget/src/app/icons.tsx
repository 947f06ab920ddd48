const PATHS = {
  send: 'M5 12h14M13 6l6 6-6 6',
  clip: 'M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.6 7',
  close: 'M6 6l12 12M18 6L6 18',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  place: 'M12 21s-7-6-7-11a7 7 0 0 1 14 0c0 5-7 11-7 11zM12 12.5a2.5 2.5 0 1 0 0-5a2.5 2.5 0 0 0 0 5z',
  down: 'M12 5v14M6 13l6 6 6-6',
  once: 'M5 13l4 4L19 7',
  twice: 'M2 13l4 4L16 7M11 16l1 1L22 7',
  clock: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2',
}

/** Draw a sign; a label says what it means, without one it is decoration. */
export function Icon({ name, label }: { name: keyof typeof PATHS; label?: string }) {
  return (
    <svg viewBox="0 0 24 24" class="icon" {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}>
      {/* Signs that have a direction turn with the writing. */}
      <path d={PATHS[name]} class={name === 'send' ? 'turns' : ''} />
    </svg>
  )
}
