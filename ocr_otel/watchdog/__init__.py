"""The process that outlives a killed training: it ends its open spans, with the cause, and says where it hangs."""
