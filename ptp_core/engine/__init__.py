"""The engine: model calls of one fixed shape, over buffers that stay where they are.

shapes         how many rows and columns a call has
paired_weights the target's weights beside the same with the adapter's delta in them
static_cache   keys and values in columns that stay where they are
call_inputs    all that a call is told, in one buffer
network        the layers, over static buffers
decision       Pick, verification, choice of the branch and its drafts, on the device
graphs         a function of static buffers, on CUDA as a graph
workspace      the buffers and graphs of one run
engine         an engine of a model, which lends workspaces to runs

many_texts     the layers for one new token of each of many texts, and for reading their prompts
seats          continues many texts at once: a text that ends leaves its seat to the next one
pen            what a model needs to write so: its layers, memory and seats

    H rows of tokens    S rows of slots, 0 or H    R = H + S    C columns    E hidden size    V vocabulary
"""
