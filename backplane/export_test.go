package backplane

// Links returns how many links d has.
func Links(d *Device) int {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	n := 0
	for k := d.node.first; k != nil; k = k.next[k.side(&d.node)] {
		n++
	}
	if n != d.node.degree {
		panic("the degree of a node is not that of its list")
	}
	return n
}

// Inbox returns how many messages d has.
func Inbox(d *Device) int {
	d.node.mu.Lock()
	defer d.node.mu.Unlock()
	return len(d.node.inbox)
}

// Hold keeps d from being told anything, until the returned function is called.
func Hold(d *Device) (release func()) {
	d.node.mu.Lock()
	return d.node.mu.Unlock
}
