"""What people read: HTML, Markdown, JUnit, console."""
